#!/usr/bin/env python3
"""Checks the rules, their tests and the runbooks against each other.

Input: `rules/*.yaml`, `rules/tests/*.yaml`, docs/runbooks.md. Output: one line for each violation; the exit code is 1 if
there is one. Whether expressions are valid and alerts fire is promtool's to say. Must not know: dashboards.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator

import yaml

from lint import HERE, OF_RESOURCES, known
from promql import selectors

RULES = HERE / "rules"
PLACES = {"NAME-ops", "NAME-redis-metrics", "NAME"}
# Of the kubelet: it has the volumes of the namespace's claims.
OF_OTHERS = {"up", "kubelet_volume_stats_available_bytes", "kubelet_volume_stats_capacity_bytes"}


def rules_of(text: str) -> list[dict]:
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def check_alert(rule: dict) -> Iterator[str]:
    """What is wrong with an alert."""
    name, labels, said = rule["alert"], rule.get("labels", {}), rule.get("annotations", {})
    if not re.fullmatch(r"Exam([A-Z][a-z]+)+", name):
        yield f"{name}: a name in CamelCase that begins with Exam is needed"
    if "for" not in rule:
        yield f"{name}: for is missing"
    if labels.get("severity") not in {"critical", "warning", "info"}:
        yield f"{name}: severity has to be critical, warning or info"
    yield from (f"{name}: no {key}" for key in ("summary", "description") if not said.get(key))
    if said.get("runbook_url") != f"RUNBOOKS#{name.lower()}":
        yield f"{name}: runbook_url has to be RUNBOOKS#{name.lower()}"


def check_record(rule: dict) -> Iterator[str]:
    """What is wrong with a recording rule."""
    if not re.fullmatch(r"[a-z_]+:[a-z_]+:[a-z0-9_]+", rule["record"]):
        yield f"{rule['record']}: the name has to be level:metric:operation"


def check_selectors(name: str, expression: str, recorded: set[str]) -> Iterator[str]:
    """Each selector is of this resource, and of a metric that exists."""
    for selector in selectors(expression):
        exact = {label: value for label, operator, value in selector.matchers if operator == "="}
        is_of_kubelet = selector.metric.startswith("kubelet_")
        if exact.get("namespace") != "NAMESPACE" and selector.metric not in OF_RESOURCES:
            yield f'{name}: {selector.metric} lacks namespace="NAMESPACE"'
        if exact.get("service") not in PLACES and not is_of_kubelet:
            yield f"{name}: {selector.metric} lacks the service"
        if is_of_kubelet and "persistentvolumeclaim" not in {label for label, _, _ in selector.matchers}:
            yield f"{name}: {selector.metric} lacks the claim"
        if selector.metric not in known() | recorded | OF_OTHERS:
            yield f"{name}: {selector.metric} is not a known metric"


def check_rules(text: str) -> Iterator[str]:
    """What is wrong with a file of rules."""
    rules = rules_of(text)
    recorded = {rule["record"] for rule in rules if "record" in rule}
    for rule in rules:
        yield from check_alert(rule) if "alert" in rule else check_record(rule)
        yield from check_selectors(rule.get("alert") or rule["record"], rule["expr"], recorded)
    # A name such as 2027 or on would be read as a number or a truth value.
    if unquoted := re.findall(r"(?:namespace|resource|operator): (?:NAMESPACE|NAME)\b", text):
        yield f"a placeholder is not quoted: {unquoted[0]}"


def check_tests(alerts: set[str], texts: list[str]) -> Iterator[str]:
    """Every alert fires in a test, and is quiet in a test that waits for it not to fire."""
    checks = [
        check
        for text in texts
        for test in yaml.safe_load(text)["tests"]
        for check in test.get("alert_rule_test", [])
    ]
    firing = {check["alertname"] for check in checks if check["exp_alerts"]}
    quiet = {check["alertname"] for check in checks if not check["exp_alerts"]}
    yield from (f"{name}: no test in which it fires" for name in sorted(alerts - firing))
    yield from (f"{name}: no test in which it is quiet" for name in sorted(alerts - quiet))
    yield from (f"{name}: tested, but there is no such alert" for name in sorted((firing | quiet) - alerts))


def check_runbooks(alerts: dict[str, str], text: str) -> Iterator[str]:
    """Every alert has a heading, with its severity, and every heading an alert."""
    headings = re.findall(r"^### (\w+)$", text, re.MULTILINE)
    yield from (f"{name}: no heading in the runbooks" for name in alerts if name not in headings)
    yield from (f"{name}: a heading in the runbooks, but no alert" for name in headings if name not in alerts)
    yield from (f"{name}: two headings in the runbooks" for name, count in Counter(headings).items() if count > 1)
    for name, body in re.findall(r"^### (\w+)\n\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL):
        if name in alerts and not body.startswith(f"*{alerts[name]}.* "):
            yield f"{name}: its runbook has to begin with *{alerts[name]}.*"
        for part in ("**Examinees**", "**Check**", "**Do**"):
            if part not in body:
                yield f"{name}: its runbook lacks {part}"


def main() -> int:
    texts = {path.name: path.read_text() for path in sorted(RULES.glob("*.yaml"))}
    tests = [path.read_text() for path in sorted((RULES / "tests").glob("*.yaml"))]
    all_rules = [rule for text in texts.values() for rule in rules_of(text)]
    severities = {rule["alert"]: rule["labels"]["severity"] for rule in all_rules if "alert" in rule}
    names = Counter(rule["alert"] for rule in all_rules if "alert" in rule)
    found = [f"{name}: {said}" for name, text in texts.items() for said in check_rules(text)]
    found += [f"{name}: two alerts have this name" for name, count in names.items() if count > 1]
    found += check_tests(set(severities), tests)
    found += check_runbooks(severities, (HERE.parent / "docs/runbooks.md").read_text())
    print(*found, sep="\n", file=sys.stderr, end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
