#!/usr/bin/env python3
"""A preprocessor of mdBook: what to do with links to files of the repository that are not pages of the book.

In the repository such a link works as it stands. In the built book the file is not there, so it becomes a link below
`preprocessor.outside.repository` of book.toml, or, where that is not set, the path of the file. mdBook runs it.
"""

import json
import posixpath
import sys

from pages import CODE, FENCE, LINK, ROOT, SOURCE


def target(chapter, link):
    """The path of a linked file from the top of the repository; `None`: it is a page of the book, or no file."""
    if "://" in link or link.startswith(("#", "mailto:")):
        return None
    name = link.split("#")[0]
    path = posixpath.normpath(posixpath.join(SOURCE.relative_to(ROOT).as_posix(), posixpath.dirname(chapter), name))
    return None if path.startswith(SOURCE.relative_to(ROOT).as_posix() + "/") else path


def rewrite(chapter, text, repository):
    """The text of a chapter without links that leave the book."""

    def replaced(found):
        path = target(chapter, found[1])
        if path is None:
            return found[0]
        label = found[0][found[0].index("[") + 1 : found[0].rindex("](")]
        if repository:
            anchor = found[1].partition("#")[2]
            return f"[{label}]({repository}/{path}{'#' if anchor else ''}{anchor})"
        return label if label.strip("`") == path else f"{label} (`{path}`)"

    lines, fence = [], None
    for line in text.split("\n"):
        mark = FENCE.match(line)
        if fence is None and mark:
            fence = mark[2]
        elif fence and mark and mark[2].startswith(fence) and not mark[3]:
            fence = None
        elif fence is None:
            # Code that looks like a link is none.
            hidden = {found.start(): found.end() for found in CODE.finditer(line)}
            inside = lambda found: any(begin < found.start() < end for begin, end in hidden.items())
            line = LINK.sub(lambda found: found[0] if inside(found) else replaced(found), line)
        lines.append(line)
    return "\n".join(lines)


def visit(items, repository):
    """Rewrites chapters, and those below them."""
    for item in items:
        chapter = item.get("Chapter") if isinstance(item, dict) else None
        if chapter:
            if chapter.get("path"):
                chapter["content"] = rewrite(chapter["path"], chapter["content"], repository)
            visit(chapter.get("sub_items", []), repository)


def main():
    if sys.argv[1:2] == ["supports"]:
        raise SystemExit(0)
    context, book = json.load(sys.stdin)
    settings = context.get("config", {}).get("preprocessor", {}).get("outside", {})
    # Releases of mdBook differ in the name of the list.
    visit(book.get("sections", book.get("items", [])), settings.get("repository", "").rstrip("/"))
    json.dump(book, sys.stdout)


if __name__ == "__main__":
    main()
