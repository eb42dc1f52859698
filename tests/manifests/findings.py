#!/usr/bin/env python3
"""Compares what a linter found with what silenced.txt accepts.

In: TOOL (a name in silenced.txt), FORM (kube-score or checkov), the linter's report as JSON. Out: each finding that is not accepted, and each accepted rule
that finds nothing more; it fails if there is one. A report that judged next to nothing is an error, too.
Usage: findings.py TOOL FORM REPORT
"""

import json
import pathlib
import sys

# Below this grade kube-score warns.
GOOD = 10


def accepted(tool):
    """The rules of a tool, each with its reason."""
    rules = {}
    for line in (pathlib.Path(__file__).parent / "silenced.txt").read_text().splitlines():
        words = line.split(None, 2)
        if line.startswith("#") or not words:
            continue
        if len(words) < 3:
            raise SystemExit(f"silenced.txt: no reason: {line}")
        if words[0] == tool:
            rules[words[1]] = words[2]
    return rules


def of_kube_score(report):
    """(number of checks, [(rule, what and where)])"""
    number, found = 0, []
    for thing in report:
        name = f"{thing['type_meta']['kind']} {thing['object_meta']['name']} ({thing['file_name']})"
        for result in thing["checks"]:
            if result["skipped"]:
                continue
            number += 1
            if result["grade"] < GOOD:
                told = "; ".join(comment["summary"] for comment in result["comments"] or [])
                found.append((result["check"]["id"], f"{result['check']['name']}: {told}: {name}"))
    return number, found


def of_checkov(report):
    if report["summary"]["parsing_errors"]:
        raise SystemExit(f"checkov could not read {report['summary']['parsing_errors']} files")
    failed = report["results"]["failed_checks"]
    found = [(one["check_id"], f"{one['check_name']}: {one['file_path']} {one['resource']}") for one in failed]
    return report["summary"]["passed"] + len(failed), found


def main(tool, form, path):
    number, found = {"kube-score": of_kube_score, "checkov": of_checkov}[form](json.loads(pathlib.Path(path).read_text()))
    rules = accepted(tool)
    faults = [f"{rule}: {told}" for rule, told in found if rule not in rules]
    faults += [f"{rule} finds nothing: remove its line from silenced.txt" for rule in sorted(rules.keys() - {rule for rule, _ in found})]
    if number < 10:
        faults.append(f"only {number} checks were made")
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
