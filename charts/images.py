#!/usr/bin/env python3
"""Writes the list of all images that an installation may pull, from the default values of the operator's chart.

In: values.yaml and Chart.yaml. Out: files/images.txt, one reference a line, and the annotation artifacthub.io/images.
For a cluster without a way out: pull what files/images.txt lists, push it to a mirror, set global.imageRegistry.
Usage: images.py [--check]
"""

import pathlib
import re
import sys

CHART = pathlib.Path(__file__).resolve().parent / "adaptive-exam-operator"
# Where in values.yaml an image is described: the keys that lead to it.
PLACES = {"exam-operator": ["image"], "exam-service": ["defaults", "service"], "redis": ["defaults", "redis"], "redis-exporter": ["defaults", "exporter"]}


def fields(text, place):
    """The scalars of the map at this place."""
    lines, depth = text.splitlines(), 0
    start = 0
    for key in place:
        start = next(n for n in range(start, len(lines)) if re.match(rf"^{' ' * depth}{key}:\s*$", lines[n])) + 1
        depth += 2
    found = {}
    for line in lines[start:]:
        match = re.match(rf"^{' ' * depth}(\w+): *\"?([^\"]*?)\"?$", line)
        if match:
            found[match[1]] = match[2]
        elif line.strip() and not line.strip().startswith("#"):
            break
    return found


def reference(image, version):
    name = "/".join(part for part in (image["registry"], image["repository"]) if part)
    return f"{name}@{image['digest']}" if image["digest"] else f"{name}:{image['tag'] or version}"


def main(check):
    chart = (CHART / "Chart.yaml").read_text()
    values = (CHART / "values.yaml").read_text()
    version = re.search(r"^appVersion: *\"?([^\"\n]+)", chart, re.M)[1]
    images = {name: reference(fields(values, place), version) for name, place in PLACES.items()}
    listed = "".join(f"    - name: {name}\n      image: {image}\n" for name, image in images.items())
    wanted = {
        CHART / "files/images.txt": "".join(f"{image}\n" for image in images.values()),
        CHART / "Chart.yaml": re.sub(r"(  artifacthub\.io/images: \|\n)(?:    .*\n)+", lambda m: m[1] + listed, chart),
    }
    bad = False
    for path, text in wanted.items():
        if path.exists() and path.read_text() == text:
            continue
        if check:
            bad = True
            print(f"{path} is stale: python3 charts/images.py", file=sys.stderr)
        else:
            path.write_text(text)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
