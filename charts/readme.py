#!/usr/bin/env python3
"""Writes the table of values into the README of each chart, from the comments of its values.yaml.

In: comments that begin with `# --` and stand before a key. Out: the text between the two marks in README.md.
A key without such a comment, above or inside of it, is an error; so is one that values.schema.json does not know, or the other way round.
Usage: readme.py [--check] [CHART…]   --check changes nothing, and fails where a README is stale.
"""

import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
BEGIN, END = "<!-- values: made by charts/readme.py -->", "<!-- end of values -->"
KEY = re.compile(r"^(\s*)([A-Za-z0-9_.-]+):(?:\s+(.*?))?\s*$")


def indent(line):
    return len(line) - len(line.lstrip())


def flow(lines):
    """A block of YAML as one line: nested maps and lists, whose scalars are kept as they are written."""
    if len(lines) == 1 and not lines[0].lstrip().startswith("- ") and not KEY.match(lines[0]):
        return lines[0].strip()
    first, parts = indent(lines[0]), []
    for line in lines:
        if indent(line) == first:
            parts.append([line])
        else:
            parts[-1].append(line)
    if lines[0].lstrip().startswith("- "):
        items = [[" " * (first + 2) + part[0].lstrip()[2:], *part[1:]] for part in parts]
        return "[" + ", ".join(flow(item) for item in items) + "]"
    fields = []
    for part in parts:
        match = KEY.match(part[0])
        fields.append(f"{match[2]}: {match[3] or (flow(part[1:]) if part[1:] else 'null')}")
    return "{" + ", ".join(fields) + "}"


def documented(text):
    """(path, default, description) of each documented key, and the paths of keys that have no description."""
    lines = [line for line in text.splitlines() if line.strip()]
    rows, bare, path, comment, position = [], [], [], None, 0
    while position < len(lines):
        line = lines[position]
        position += 1
        stripped = line.strip()
        if stripped.startswith("#"):
            if stripped.startswith("# -- "):
                comment = [stripped[5:]]
            elif comment is not None:
                comment.append(stripped[1:].strip())
            continue
        match = KEY.match(line)
        if not match:
            raise SystemExit(f"not understood: {line}")
        path = [known for known in path if known[0] < indent(line)] + [(indent(line), match[2])]
        name = ".".join(key for _, key in path)
        block = []
        while position + len(block) < len(lines) and indent(lines[position + len(block)]) > indent(line):
            block.append(lines[position + len(block)])
        if comment is not None:
            position += len(block)
            default = match[3] or flow([part for part in block if not part.strip().startswith("#")])
            rows.append((name, default, " ".join(comment)))
            comment = None
        elif match[3] is not None or not block:
            bare.append(name)
    return rows, bare


def in_schema(schema, node, path=""):
    """The paths that a schema names, down to those that it describes no further."""
    if "$ref" in node:
        node = {**schema["definitions"][node["$ref"].rsplit("/", 1)[1]], **{k: v for k, v in node.items() if k != "$ref"}}
    for name, child in node.get("properties", {}).items():
        yield f"{path}{name}"
        yield from in_schema(schema, child, f"{path}{name}.")


def table(rows):
    cell = lambda text: text.replace("|", "\\|")
    lines = ["| value | default | meaning |", "|---|---|---|"]
    lines += [f"| `{name}` | `{cell(default)}` | {cell(meaning)} |" for name, default, meaning in rows]
    return "\n".join(lines)


def faults(chart, rows, bare):
    schema = json.loads((chart / "values.schema.json").read_text())
    known = set(in_schema(schema, schema))
    told = {name for name, _, _ in rows}
    parents = {".".join(name.split(".")[:n]) for name in told for n in range(1, name.count(".") + 1)}
    for name in bare:
        yield f"{name} has no comment that begins with '# --'"
    for name in sorted(told - known):
        yield f"{name} is not in values.schema.json"
    # Helm gives every chart that is part of another one a map of this name.
    for name in sorted(known - told - parents - {"global"}):
        if not any(name.startswith(f"{parent}.") for parent in told):
            yield f"{name} is in values.schema.json and not in values.yaml"


def main(arguments):
    check = "--check" in arguments
    charts = [pathlib.Path(name) for name in arguments if not name.startswith("-")]
    bad = False
    for chart in charts or sorted(path.parent for path in HERE.glob("*/Chart.yaml")):
        rows, bare = documented((chart / "values.yaml").read_text())
        for fault in faults(chart, rows, bare):
            bad = True
            print(f"{chart.name}: {fault}", file=sys.stderr)
        readme = chart / "README.md"
        old = readme.read_text()
        if old.count(BEGIN) != 1 or old.count(END) != 1:
            raise SystemExit(f"{readme} needs the two marks once each:\n{BEGIN}\n{END}")
        head, tail = old.split(BEGIN)[0], old.split(END)[1]
        new = f"{head}{BEGIN}\n{table(rows)}\n{END}{tail}"
        if new == old:
            continue
        if check:
            bad = True
            print(f"{readme} is stale: python3 charts/readme.py", file=sys.stderr)
        else:
            readme.write_text(new)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
