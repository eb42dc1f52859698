"""Each check of `lint_rules.py` fails on rules, tests or runbooks that break it."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import lint_rules  # noqa: E402

RULES = """
groups:
- name: g
  rules:
  - record: service:up:min
    expr: min by (service) (up{namespace="NAMESPACE", service="NAME-ops"})
  - alert: ExamDown
    expr: service:up:min{namespace="NAMESPACE", service="NAME-ops"} == 0
    for: 1m
    labels: {severity: critical, namespace: "NAMESPACE"}
    annotations: {summary: It is down, description: It does not answer., runbook_url: "RUNBOOKS#examdown"}
"""
TEST = """
tests:
- alert_rule_test:
  - {alertname: ExamDown, eval_time: 1m, exp_alerts: [{exp_labels: {}}]}
  - {alertname: ExamDown, eval_time: 0m, exp_alerts: []}
"""
RUNBOOK = "### ExamDown\n\n*critical.* It is down.\n**Examinees** wait.\n**Check** it.\n**Do** start it.\n\n## Other\n"
ALERTS = {"ExamDown": "critical"}


class Checks(unittest.TestCase):
    def broken(self, said: list[str], part: str) -> None:
        self.assertTrue(any(part in line for line in said), f"{part!r} is not in {said}")

    def test_what_is_right_is_not_reported(self):
        self.assertEqual(list(lint_rules.check_rules(RULES)), [])
        self.assertEqual(list(lint_rules.check_tests(set(ALERTS), [TEST])), [])
        self.assertEqual(list(lint_rules.check_runbooks(ALERTS, RUNBOOK)), [])

    def test_rules(self):
        table = [
            ("ExamDown", "examDown", "CamelCase"),
            ("    for: 1m\n", "", "for is missing"),
            ("severity: critical", "severity: page", "severity has to be"),
            ("summary: It is down, ", "", "no summary"),
            ("description: It does not answer., ", "", "no description"),
            ("RUNBOOKS#examdown", "https://example.org/examdown", "runbook_url"),
            ("record: service:up:min", "record: service_up", "level:metric:operation"),
            ('up{namespace="NAMESPACE", ', "up{", 'lacks namespace="NAMESPACE"'),
            ('service="NAME-ops"})', 'service=~"NAME.*"})', "lacks the service"),
            ("(up{", "(ups{", "is not a known metric"),
            ("(up{", "(kubelet_volume_stats_available_bytes{", "lacks the claim"),
            ('namespace: "NAMESPACE"', "namespace: NAMESPACE", "is not quoted"),
        ]
        for old, new, part in table:
            self.assertIn(old, RULES)
            self.broken(list(lint_rules.check_rules(RULES.replace(old, new))), part)

    def test_tests(self):
        table = [
            ("[{exp_labels: {}}]", "[]", "no test in which it fires"),
            ("exp_alerts: []", "exp_alerts: [{}]", "no test in which it is quiet"),
            ("alertname: ExamDown, eval_time: 0m", "alertname: ExamUp, eval_time: 0m", "there is no such alert"),
        ]
        for old, new, part in table:
            self.assertIn(old, TEST)
            self.broken(list(lint_rules.check_tests(set(ALERTS), [TEST.replace(old, new)])), part)

    def test_runbooks(self):
        table = [
            ("### ExamDown", "### ExamUp", "ExamDown: no heading"),
            ("### ExamDown", "### ExamUp", "ExamUp: a heading in the runbooks, but no alert"),
            ("## Other", RUNBOOK, "two headings"),
            ("*critical.*", "*warning.*", "has to begin with *critical.*"),
            ("**Examinees**", "Examinees", "lacks **Examinees**"),
            ("**Check**", "Check", "lacks **Check**"),
            ("**Do**", "Do", "lacks **Do**"),
        ]
        for old, new, part in table:
            self.assertIn(old, RUNBOOK)
            self.broken(list(lint_rules.check_runbooks(ALERTS, RUNBOOK.replace(old, new, 1))), part)


if __name__ == "__main__":
    unittest.main()
