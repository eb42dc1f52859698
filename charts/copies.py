#!/usr/bin/env python3
"""Copies what charts carry from where it is made: helm reads no file outside of a chart.

In: monitoring/ (rules of the operator, dashboards), where it is there, and the test that both charts have. Out: files/ of the charts.
Usage: copies.py [--check]
"""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
OPERATOR, EXAM = ROOT / "charts/adaptive-exam-operator/files", ROOT / "charts/adaptive-exam/files"


def pairs():
    """(copy, its source); a source of None has the copy removed."""
    yield EXAM / "take-exam.sh", OPERATOR / "take-exam.sh"
    rules = ROOT / "monitoring/rules/operator.yaml"
    if rules.exists():
        yield OPERATOR / "rules-operator.yaml", rules
    boards = {path.name: path for path in (ROOT / "monitoring/dashboards").glob("*.json")}
    if boards:
        copies = {path.name for path in (OPERATOR / "dashboards").glob("*.json")}
        for name in sorted(boards.keys() | copies):
            yield OPERATOR / "dashboards" / name, boards.get(name)


def main(check):
    bad = False
    for copy, source in pairs():
        wanted = source.read_bytes() if source else None
        found = copy.read_bytes() if copy.exists() else None
        if wanted == found:
            continue
        if check:
            bad = True
            print(f"{copy} is stale: python3 charts/copies.py", file=sys.stderr)
        elif wanted is None:
            copy.unlink()
        else:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(wanted)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
