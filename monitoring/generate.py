#!/usr/bin/env python3
"""Writes the dashboards and the tables of README.md; with `--check` only compares, and fails if a committed file differs.

Input: the modules of `boards`, the rules. Output: JSON that Grafana provisions, Markdown. Must not know: what a panel shows.
"""

import argparse
import difflib
import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

import readme
from boards import measurement, operator, redis, service

FOLDER = Path(__file__).resolve().parent / "dashboards"
BOARDS = {"service": service, "measurement": measurement, "redis": redis, "operator": operator}


def text(name: str) -> str:
    """The JSON of a dashboard; the same input gives the same bytes."""
    made = json.loads(json.dumps(BOARDS[name].dashboard().build(), cls=JSONEncoder))
    made["id"] = None
    return json.dumps(made, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def is_stale(path: Path, wanted: str) -> bool:
    """Whether the file differs; the difference is printed."""
    found = path.read_text() if path.exists() else ""
    lines = difflib.unified_diff(found.splitlines(), wanted.splitlines(), str(path), "generated", lineterm="", n=1)
    shown = list(lines)[:40]
    for line in shown:
        print(line, file=sys.stderr)
    return bool(shown)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    wanted = {FOLDER / f"{name}.json": text(name) for name in BOARDS}
    wanted[readme.HERE / "README.md"] = readme.text([json.loads(content) for content in wanted.values()])
    if not check:
        for path, content in wanted.items():
            path.write_text(content)
        return 0
    stale = [path for path, content in wanted.items() if is_stale(path, content)]
    unknown = sorted(set(FOLDER.iterdir()) - set(wanted))
    for path in stale:
        print(f"{path} is stale: make dashboards", file=sys.stderr)
    for path in unknown:
        print(f"{path} is of no module in boards/", file=sys.stderr)
    return 1 if stale or unknown else 0


if __name__ == "__main__":
    sys.exit(main())
