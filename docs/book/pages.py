"""What the programs beside it read of a Markdown file: fences, headings, links. Standard library alone."""

import pathlib
import re
from typing import NamedTuple

BOOK = pathlib.Path(__file__).resolve().parent
SOURCE = BOOK / "src"
ROOT = BOOK.parent.parent

FENCE = re.compile(r"^( *)(`{3,}|~{3,})\s*(.*?)\s*$")
HEADING = re.compile(r"^(#{1,6}) +(.*?)\s*#*$")
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?([^)\s>]+)>?(?: +\"[^\"]*\")?\)")
CODE = re.compile(r"(`+)(?:(?!\1).)+\1")


class Fence(NamedTuple):
    """A fenced block."""

    file: pathlib.Path
    line: int
    info: list
    text: str

    def place(self):
        """Where it begins, for people."""
        return f"{relative(self.file)}:{self.line}"


def relative(path):
    """A path from the top of the repository."""
    return path.resolve().relative_to(ROOT).as_posix()


def split(path):
    """The fences of a file, and its other lines with their numbers."""
    fences, lines, begun, body = [], [], None, []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = FENCE.match(line)
        if begun is None and found:
            begun, body = (number, *found.groups()), []
        elif begun and found and found[2].startswith(begun[2]) and not found[3]:
            fences.append(Fence(path, begun[0], [word for word in begun[3].split(",") if word], "\n".join(body) + "\n"))
            begun = None
        elif begun:
            body.append(line.removeprefix(begun[1]))
        else:
            lines.append((number, line))
    if begun:
        raise SystemExit(f"{relative(path)}:{begun[0]}: this fence does not end")
    return fences, lines


def slug(heading):
    """The anchor of a heading, as GitHub and mdBook make it."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(path):
    """All anchors of a file."""
    found, seen = set(), {}
    for _, line in split(path)[1]:
        heading = HEADING.match(line)
        if heading:
            name = slug(heading[2])
            count = seen.get(name, 0)
            seen[name] = count + 1
            found.add(f"{name}-{count}" if count else name)
    return found


def links(path):
    """The targets of a file's links, with their lines. Code has none."""
    for number, line in split(path)[1]:
        for found in LINK.finditer(CODE.sub(lambda code: "`" * len(code[0]), line)):
            yield number, found[1]


def chapters():
    """The files that SUMMARY.md lists, in its order."""
    return [SOURCE / target for _, target in links(SOURCE / "SUMMARY.md")]
