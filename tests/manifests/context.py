#!/usr/bin/env python3
"""Checks that the build of an image sees every file that is compiled into its program.

In: Rust sources, and what images/NAME/Containerfile.dockerignore lets in. Out: each file that a program includes and that would not be there.
Usage: context.py NAME CRATE…
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
INCLUDE = re.compile(r'include_(?:str|bytes)!\(\s*"([^"]+)"\s*\)')


def main(name, *crates):
    lines = (ROOT / f"images/{name}/Containerfile.dockerignore").read_text().split()
    admitted = [ROOT / line[1:] for line in lines if line.startswith("!")]
    included, missing = 0, []
    for crate in crates:
        for source in (ROOT / crate / "src").rglob("*.rs"):
            for told in INCLUDE.findall(source.read_text()):
                included += 1
                path = (source.parent / told).resolve()
                if not any(path.is_relative_to(place) for place in admitted):
                    missing.append(f"{source.relative_to(ROOT)} includes {path.relative_to(ROOT)}, which the build of {name} does not see")
    missing += [f"{crate} is not admitted" for crate in crates if not any((ROOT / crate).is_relative_to(place) for place in admitted)]
    if not included:
        missing.append(f"nothing is included in {', '.join(crates)}: are they still the crates?")
    print("\n".join(missing))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
