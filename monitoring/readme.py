"""The tables of panels and alerts in README.md, from the dashboards and the rules.

Input: dashboards as JSON, rules as YAML. Output: Markdown between two marks of README.md. Must not know: how either is made.
"""

import re
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
BEGIN, END = "<!-- generated: make dashboards -->", "<!-- end -->"


def panel_table(board: dict) -> str:
    """A table with one line for each row of a dashboard."""
    lines = [f"**{board['title']}** (`{board['uid']}`)", "", "| row | panels |", "|---|---|"]
    rows: list[tuple[str, list[str]]] = []
    for panel in board["panels"]:
        if panel["type"] == "row":
            rows.append((panel["title"], []))
        else:
            rows[-1][1].append(panel["title"])
    lines += [f"| {title} | {'; '.join(panels)} |" for title, panels in rows]
    return "\n".join(lines)


def alert_table(name: str, rules: dict) -> str:
    """A table with one line for each alert of a file."""
    lines = [f"**rules/{name}**", "", "| alert | severity | for | what it says |", "|---|---|---|---|"]
    for rule in (rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule):
        alert, summary = rule["alert"], re.sub(r"\{\{ \$(?:labels\.)?(\w+) \}\}", r"`\1`", rule["annotations"]["summary"])
        link = f"[{alert}](../docs/runbooks.md#{alert.lower()})"
        lines.append(f"| {link} | {rule['labels']['severity']} | {rule['for']} | {summary} |")
    return "\n".join(lines)


def text(boards: list[dict]) -> str:
    """README.md with fresh tables."""
    committed = (HERE / "README.md").read_text()
    before, _, rest = committed.partition(BEGIN)
    _, _, after = rest.partition(END)
    tables = [panel_table(board) for board in boards]
    tables += [alert_table(path.name, yaml.safe_load(path.read_text())) for path in sorted((HERE / "rules").glob("*.yaml"))]
    return before + BEGIN + "\n\n" + "\n\n".join(tables) + "\n\n" + END + after
