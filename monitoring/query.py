#!/usr/bin/env python3
"""Asks a Prometheus for every panel and prints how many series each query gives; `--absent` prints only those with none.

Input: the committed dashboards, the address of a Prometheus. Output: a table. Must not know: what a panel shows.
"""

import argparse
import json
import math
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "dashboards"


def filled(expression: str, variables: dict[str, str]) -> str:
    """The query with values for Grafana's variables."""
    for name, value in variables.items():
        expression = expression.replace(f"${name}", value)
    return expression


def ask(address: str, path: str, asked: list[tuple[str, str]]) -> list:
    """What Prometheus answers; an error of the query ends the program with Prometheus' words."""
    try:
        with urllib.request.urlopen(f"{address}/api/v1/{path}?{urllib.parse.urlencode(asked)}", timeout=30) as reply:
            answer = json.loads(reply.read())["data"]
            return answer["result"] if isinstance(answer, dict) else answer
    except urllib.error.HTTPError as error:
        sys.exit(f"{asked}\n{error.read().decode()}")


def chosen(address: str, board: dict) -> dict[str, str]:
    """The variables as Grafana sets them for "All": the values that their queries give."""
    variables = {"__rate_interval": "1m"}
    for variable in board["templating"]["list"]:
        if variable["type"] != "query":
            continue
        series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
        values = ask(address, f"label/{label}/values", [("match[]", filled(series, variables))])
        every = "|".join(re.escape(value).replace("\\", "\\\\") for value in values)
        variables[variable["name"]] = variable.get("allValue") or f"({every})"
    return variables


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prometheus", help="such as http://127.0.0.1:9090")
    parser.add_argument("--absent", action="store_true", help="only queries without data")
    parser.add_argument("--time", help="moment of the query; absent: now")
    arguments = parser.parse_args()
    address = arguments.prometheus.rstrip("/")
    moment = [("time", arguments.time)] if arguments.time else []
    asked = without = 0
    for path in sorted(FOLDER.glob("*.json")):
        board = json.loads(path.read_text())
        variables = chosen(address, board)
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                found = ask(address, "query", [("query", filled(target["expr"], variables)), *moment])
                numbers = [float(one["value"][1]) for one in found]
                usable = [number for number in numbers if not math.isnan(number)]
                asked, without = asked + 1, without + (not usable)
                if not usable or not arguments.absent:
                    shown = ", ".join(f"{number:.4g}" for number in usable[:4])
                    print(f"{path.stem:12} {panel['title'][:44]:44} {target['legendFormat'][:28]:28} {len(usable):3}  {shown}")
    print(f"{asked} queries, {without} without data")
    return 0


if __name__ == "__main__":
    sys.exit(main())
