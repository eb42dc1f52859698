#!/usr/bin/env python3
"""Checks the committed dashboards by the rules of Grafana's dashboard-linter, and some of the project's own.

Input: `dashboards/*.json`, docs/METRICS.md, `exporter-metrics.txt`. Output: one line for each violation, with the name of
its rule; the exit code is 1 if there is one. `--queries FILE` writes all queries as recording rules, for promtool to parse.
Must not know: how dashboards are made.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from promql import ranges, selectors

HERE = Path(__file__).resolve().parent
SOURCE = {"${datasource}", "$datasource"}
CHOICES = {"namespace": "Namespace", "job": "Job", "instance": "Instance"}
# Their label namespace is that of the resource that they tell about, not of the operator that tells it.
OF_RESOURCES = {"adaptive_exam_operator_resource_condition"}
Board = dict
Rule = Callable[[Board], Iterator[str]]
RULES: dict[str, Rule] = {}


def rule(check: Rule) -> Rule:
    """Registers a rule under its name."""
    RULES[check.__name__.replace("_", "-")] = check
    return check


def panels(board: Board) -> list[dict]:
    """All panels that show data, those in collapsed rows too."""
    rows = [panel for panel in board.get("panels", []) if panel.get("type") == "row"]
    inside = [panel for row in rows for panel in row.get("panels", [])]
    return [panel for panel in board.get("panels", []) + inside if panel.get("type") not in {"row", "text"}]


def targets(board: Board) -> Iterator[tuple[str, dict]]:
    for panel in panels(board):
        for target in panel.get("targets", []):
            yield panel.get("title", "?"), target


def expressions(board: Board) -> Iterator[tuple[str, str]]:
    """Every query, those of annotations too."""
    yield from ((title, target.get("expr", "")) for title, target in targets(board))
    for annotation in board.get("annotations", {}).get("list", []):
        if not annotation.get("builtIn"):
            yield f"annotation {annotation.get('name')}", annotation.get("expr", "")


def variables(board: Board) -> list[dict]:
    return board.get("templating", {}).get("list", [])


@rule
def datasource_variable(board: Board) -> Iterator[str]:
    found = [variable for variable in variables(board) if variable.get("type") == "datasource"]
    if [variable.get("name") for variable in found] != ["datasource"]:
        yield "there has to be exactly one variable of type datasource, named datasource"
        return
    if found[0].get("label") != "Data source" or found[0].get("query") != "prometheus":
        yield "the variable datasource has to be labelled Data source and to list sources of Prometheus"


@rule
def choice_variables(board: Board) -> Iterator[str]:
    named = {variable.get("name"): variable for variable in variables(board)}
    for name, label in CHOICES.items():
        found = named.get(name, {})
        query = found.get("query")
        text = query.get("query", "") if isinstance(query, dict) else query or ""
        wrong = [
            (found.get("type") != "query", "is not a query"),
            (not found.get("multi"), "does not take several values"),
            (not found.get("includeAll"), "does not include all"),
            (found.get("label") != label, f"is not labelled {label}"),
            (found.get("datasource", {}).get("uid") not in SOURCE, "does not use $datasource"),
            (found.get("refresh") != 2, "is not refreshed when the time range changes"),
            (not re.fullmatch(rf"label_values\(.+, {name}\)", text), f"is not label_values(…, {name})"),
        ]
        yield from (f"variable {name} {why}" for is_wrong, why in wrong if is_wrong)


@rule
def panel_title(board: Board) -> Iterator[str]:
    yield from (f"panel {panel.get('id')} has no title" for panel in panels(board) if not panel.get("title"))


@rule
def panel_description(board: Board) -> Iterator[str]:
    yield from (f"{panel.get('title')}: no description" for panel in panels(board) if not panel.get("description"))


@rule
def panel_unit(board: Board) -> Iterator[str]:
    for panel in panels(board):
        if not panel.get("fieldConfig", {}).get("defaults", {}).get("unit"):
            yield f"{panel.get('title')}: no unit"


@rule
def panel_targets(board: Board) -> Iterator[str]:
    yield from (f"{panel.get('title')}: no query" for panel in panels(board) if not panel.get("targets"))


@rule
def panel_datasource(board: Board) -> Iterator[str]:
    for panel in panels(board):
        used = [panel] + panel.get("targets", [])
        if any((part.get("datasource") or {}).get("uid") not in SOURCE for part in used):
            yield f"{panel.get('title')}: panel and queries have to use $datasource"


@rule
def panel_place(board: Board) -> Iterator[str]:
    places, ids = {}, [panel.get("id") for panel in board.get("panels", [])]
    if None in ids or len(set(ids)) < len(ids):
        yield "every panel needs an id of its own"
    for panel in board.get("panels", []):
        at = panel.get("gridPos", {})
        x, y, w, h = (at.get(side) or 0 for side in "xywh")
        if w == 0 or h == 0 or x + w > 24:
            yield f"{panel.get('title')}: outside of the grid"
        for cell in ((column, line) for column in range(x, x + w) for line in range(y, y + h)):
            if places.setdefault(cell, panel.get("id")) != panel.get("id"):
                yield f"{panel.get('title')}: over another panel"
                break


@rule
def target_legend(board: Board) -> Iterator[str]:
    yield from (f"{title}: a query has no legend" for title, target in targets(board) if not target.get("legendFormat"))


@rule
def target_selectors(board: Board) -> Iterator[str]:
    variable = {name: (name, "=~", f"${name}") for name in CHOICES}
    for title, expression in expressions(board):
        found = selectors(expression)
        if not found:
            yield f"{title}: no metric in {expression!r}"
        for selector in found:
            wanted = set(variable.values())
            if selector.metric in OF_RESOURCES:
                wanted.remove(variable["namespace"])
                if variable["namespace"] in selector.matchers:
                    yield f"{title}: the namespace of {selector.metric} is that of a resource"
            if lacking := sorted(name for name, _, _ in wanted - selector.matchers):
                yield f"{title}: {selector.metric} lacks the variable of {', '.join(lacking)}"


@rule
def target_rate_interval(board: Board) -> Iterator[str]:
    for title, expression in expressions(board):
        for function, interval in ranges(expression):
            if interval != "$__rate_interval":
                yield f"{title}: {function} over [{interval}] instead of [$__rate_interval]"


@rule
def known_metrics(board: Board) -> Iterator[str]:
    for title, expression in expressions(board):
        for selector in selectors(expression):
            if selector.metric not in known():
                yield f"{title}: {selector.metric} is neither in docs/METRICS.md nor a metric of redis_exporter"


@rule
def not_editable(board: Board) -> Iterator[str]:
    if board.get("editable") is not False:
        yield "editable has to be false"


@rule
def identity(board: Board) -> Iterator[str]:
    if not re.fullmatch(r"adaptive-exam-[a-z]+", board.get("uid") or ""):
        yield "uid has to be adaptive-exam-… and to stay"
    if "id" not in board or board["id"] is not None:
        yield "id has to be null"
    if not isinstance(board.get("version"), int):
        yield "version is missing"
    if not board.get("title") or not board.get("description"):
        yield "title and description are needed"
    if "adaptive-exam" not in board.get("tags", []):
        yield "the tag adaptive-exam is missing"
    if (board.get("schemaVersion") or 0) < 39:
        yield "schemaVersion has to be 39 or more"


@rule
def no_inputs(board: Board) -> Iterator[str]:
    yield from (f"{key} is of an export, not of a provisioned dashboard" for key in board if key.startswith("__"))


def known() -> set[str]:
    """The metrics that may be used."""
    if not KNOWN:
        KNOWN.update(documented((HERE.parent / "docs/METRICS.md").read_text()))
        lines = (HERE / "exporter-metrics.txt").read_text().splitlines()
        KNOWN.update(line for line in lines if line and not line.startswith("#"))
        process = "cpu_seconds_total open_fds max_fds resident_memory_bytes virtual_memory_bytes start_time_seconds threads"
        KNOWN.update(f"process_{name}" for name in process.split())
        KNOWN.add("up")
    return KNOWN


KNOWN: set[str] = set()


def documented(text: str) -> Iterator[str]:
    """The series of the metrics in the tables of docs/METRICS.md."""
    for name, kind in re.findall(r"^\| `(\w+)` \| (\w+)", text, re.MULTILINE):
        suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        yield from (name + suffix for suffix in suffixes)


def violations(board: Board) -> Iterator[tuple[str, str]]:
    """Every violation, as the name of its rule and what is wrong."""
    for name, check in RULES.items():
        yield from ((name, said) for said in check(board))


def queries(boards: dict[str, Board]) -> str:
    """All queries as a file of recording rules."""
    exprs = [expression for board in boards.values() for _, expression in expressions(board)]
    filled = [re.sub(r"\$__\w+", "5m", expression) for expression in exprs]
    rules = [{"record": f"query:{number}", "expr": expression} for number, expression in enumerate(filled)]
    return json.dumps({"groups": [{"name": "queries", "rules": rules}]})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=Path, help="write all queries as recording rules to this file")
    arguments = parser.parse_args()
    boards = {path.name: json.loads(path.read_text()) for path in sorted((HERE / "dashboards").glob("*.json"))}
    uids = [board.get("uid") for board in boards.values()]
    found = [f"{name}: {broken}: {said}" for name, board in boards.items() for broken, said in violations(board)]
    if len(set(uids)) < len(uids):
        found.append("two dashboards have the same uid")
    if not boards:
        found.append("there are no dashboards")
    print(*found, sep="\n", file=sys.stderr, end="\n" if found else "")
    if arguments.queries:
        arguments.queries.write_text(queries(boards))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
