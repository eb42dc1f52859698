"""Each rule of `lint.py` fails on a dashboard that breaks it and nothing else; the committed dashboards break none."""

import copy
import json
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE))

import lint  # noqa: E402
from promql import Selector, ranges, selectors  # noqa: E402

COMMITTED = {path.stem: json.loads(path.read_text()) for path in (HERE / "dashboards").glob("*.json")}


def first(board: dict) -> dict:
    return lint.panels(board)[0]


def query(board: dict, old: str, new: str) -> None:
    target = first(board)["targets"][0]
    assert old in target["expr"], target["expr"]
    target["expr"] = target["expr"].replace(old, new)


def variable(board: dict, name: str) -> dict:
    return next(found for found in lint.variables(board) if found["name"] == name)


def rate(board: dict) -> None:
    panel = next(panel for panel in lint.panels(board) if "[$__rate_interval]" in panel["targets"][0]["expr"])
    panel["targets"][0]["expr"] = panel["targets"][0]["expr"].replace("$__rate_interval", "5m")


def second_source(board: dict) -> None:
    lint.variables(board).append({"type": "datasource", "name": "other", "label": "Other", "query": "prometheus"})


# For each rule the ways in which the dashboard of the service is broken.
BROKEN = {
    "datasource-variable": [
        second_source,
        lambda board: variable(board, "datasource").update(name="source"),
        lambda board: variable(board, "datasource").update(label="Datasource"),
    ],
    "choice-variables": [
        lambda board: variable(board, "job").update(multi=False),
        lambda board: variable(board, "job").update(includeAll=False),
        lambda board: variable(board, "job").update(label="job"),
        lambda board: variable(board, "instance").update(refresh=1),
        lambda board: variable(board, "instance").update(query={"query": "query_result(up)"}),
        lambda board: variable(board, "namespace").update(datasource={"uid": "fixed"}),
        lambda board: lint.variables(board).remove(variable(board, "namespace")),
    ],
    "panel-title": [lambda board: first(board).update(title="")],
    "panel-description": [lambda board: first(board).pop("description")],
    "panel-unit": [lambda board: first(board)["fieldConfig"]["defaults"].pop("unit")],
    "panel-targets": [lambda board: first(board).update(targets=[])],
    "panel-datasource": [
        lambda board: first(board).update(datasource={"type": "prometheus", "uid": "fixed"}),
        lambda board: first(board)["targets"][0].pop("datasource"),
    ],
    "panel-place": [
        lambda board: first(board).update(id=lint.panels(board)[1]["id"]),
        lambda board: first(board)["gridPos"].update(x=23),
        lambda board: first(board)["gridPos"].update(w=6),
    ],
    "target-legend": [lambda board: first(board)["targets"][0].update(legendFormat="")],
    "target-selectors": [
        lambda board: query(board, ', job=~"$job"', ""),
        lambda board: query(board, 'instance=~"$instance"', 'instance="$instance"'),
        lambda board: query(board, 'namespace=~"$namespace", ', ""),
        lambda board: first(board)["targets"][0].update(expr="vector(1)"),
        lambda board: first(board)["targets"][0].update(
            expr='adaptive_exam_operator_resource_condition{namespace=~"$namespace", job=~"$job", instance=~"$instance"}'
        ),
        lambda board: first(board)["targets"][0].update(expr='adaptive_exam_operator_resource_condition{job=~"$job"}'),
        lambda board: board["annotations"]["list"][0].update(expr="adaptive_exam_build_info"),
    ],
    "target-rate-interval": [rate],
    "known-metrics": [lambda board: query(board, "adaptive_exam_build_info", "adaptive_exam_build")],
    "not-editable": [lambda board: board.update(editable=True), lambda board: board.pop("editable")],
    "identity": [
        lambda board: board.update(uid=None),
        lambda board: board.update(id=7),
        lambda board: board.pop("id"),
        lambda board: board.pop("version"),
        lambda board: board.update(title=""),
        lambda board: board.update(tags=[]),
        lambda board: board.update(schemaVersion=38),
    ],
    "no-inputs": [lambda board: board.update(__inputs=[])],
}


class Rules(unittest.TestCase):
    def test_the_committed_dashboards_break_no_rule(self):
        self.assertEqual(set(COMMITTED), {"service", "measurement", "redis", "operator"})
        for name, board in COMMITTED.items():
            self.assertEqual(list(lint.violations(board)), [], name)

    def test_every_rule_has_a_broken_example(self):
        self.assertEqual(set(BROKEN), set(lint.RULES))

    def test_each_broken_example_breaks_its_rule_alone(self):
        for rule, examples in BROKEN.items():
            for number, break_it in enumerate(examples):
                board = copy.deepcopy(COMMITTED["service"])
                break_it(board)
                with self.subTest(rule=rule, example=number):
                    self.assertEqual({broken for broken, _ in lint.violations(board)}, {rule})

    def test_a_panel_in_a_collapsed_row_is_seen(self):
        board = copy.deepcopy(COMMITTED["service"])
        row = next(panel for panel in board["panels"] if panel["type"] == "row")
        row["panels"] = [{"id": 900, "type": "stat"}]
        broken = {rule for rule, _ in lint.violations(board)}
        self.assertLessEqual({"panel-title", "panel-description", "panel-unit", "panel-targets"}, broken)


class Expressions(unittest.TestCase):
    def test_selectors_are_found_wherever_they_stand(self):
        table = {
            "up": [Selector("up", frozenset())],
            'sum by (job) (rate(m_total{a=~"x{\\""}[5m])) / on (job) group_left (pod) n': [
                Selector("m_total", frozenset({("a", "=~", 'x{\\"')})),
                Selector("n", frozenset()),
            ],
            "sum(m) by (job) or n unless ignoring (b) o offset 5m": [
                Selector("m", frozenset()),
                Selector("n", frozenset()),
                Selector("o", frozenset()),
            ],
            '{a=~"x{"}': [Selector("", frozenset({("a", "=~", "x{")}))],
            "histogram_quantile(0.99, m) > bool 1e3": [Selector("m", frozenset())],
            "time() - vector(1)": [],
        }
        for expression, wanted in table.items():
            self.assertEqual(selectors(expression), wanted, expression)

    def test_ranges_belong_to_their_functions(self):
        self.assertEqual(ranges("sum(rate(m{}[5m])) / increase(n[$__rate_interval])"), [("rate", "5m"), ("increase", "$__rate_interval")])
        self.assertEqual(ranges("m"), [])


class Documentation(unittest.TestCase):
    def test_names_come_from_the_tables(self):
        text = "| `a_total` | counter: `kind` | x |\n| `b_seconds` | histogram | y |\nand `c` besides\n"
        self.assertEqual(list(lint.documented(text)), ["a_total", "b_seconds_bucket", "b_seconds_sum", "b_seconds_count"])


if __name__ == "__main__":
    unittest.main()
