"""Reads the selectors and ranges of a PromQL expression.

Input: an expression, which may contain Grafana's variables. Output: selectors with their matchers, functions with their
ranges. It does not check the grammar: promtool does. Must not know: dashboards, rules.
"""

import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"""
    (?P<range>\[[^\]]*\])
  | (?P<matchers>\{(?:[^{}"]|"(?:\\.|[^"\\])*")*\})
  | (?P<string>"(?:\\.|[^"\\])*")
  | (?P<word>[a-zA-Z_:][a-zA-Z0-9_:]*)
  | (?P<number>(?:\$__[a-z_]+|\d[\w.]*))
  | (?P<sign>[()])
    """,
    re.VERBOSE,
)
MATCHER = re.compile(r'\s*(\w+)\s*(=~|!~|!=|=)\s*"((?:\\.|[^"\\])*)"\s*,?')
OPERATORS = {"and", "or", "unless", "bool", "offset"}
LABEL_LISTS = {"by", "without", "on", "ignoring", "group_left", "group_right"}


@dataclass(frozen=True)
class Selector:
    """Series that are selected: their metric, and matchers as (label, operator, value)."""

    metric: str
    matchers: frozenset[tuple[str, str, str]]


def tokens(expression: str) -> list[tuple[str, str]]:
    return [(match.lastgroup, match.group()) for match in TOKEN.finditer(expression)]


def selectors(expression: str) -> list[Selector]:
    """All selectors of the expression."""
    found, all_tokens, place = [], tokens(expression), 0
    while place < len(all_tokens):
        kind, text = all_tokens[place]
        following = all_tokens[place + 1] if place + 1 < len(all_tokens) else ("", "")
        place += 1
        if kind == "matchers":
            found.append(Selector("", matchers(text)))
        elif kind == "word" and text in LABEL_LISTS:
            if following[1] == "(":
                place = closing(all_tokens, place) + 1
        elif kind == "word" and text not in OPERATORS and following[1] != "(" and not is_grouped(all_tokens, place):
            has_matchers = following[0] == "matchers"
            found.append(Selector(text, matchers(following[1]) if has_matchers else frozenset()))
            place += has_matchers
    return found


def is_grouped(all_tokens: list[tuple[str, str]], place: int) -> bool:
    """Whether the word before `place` is an aggregation such as `sum by (...)`, not a metric."""
    return place < len(all_tokens) and all_tokens[place][1] in {"by", "without"}


def closing(all_tokens: list[tuple[str, str]], place: int) -> int:
    """The place of the parenthesis that closes the one at `place`."""
    depth = 0
    for at in range(place, len(all_tokens)):
        depth += {"(": 1, ")": -1}.get(all_tokens[at][1], 0)
        if depth == 0:
            return at
    return len(all_tokens)


def matchers(text: str) -> frozenset[tuple[str, str, str]]:
    """The matchers between braces."""
    return frozenset(MATCHER.findall(text[1:-1]))


def ranges(expression: str) -> list[tuple[str, str]]:
    """Functions and the ranges of their arguments, such as ("rate", "5m")."""
    found, open_functions, before = [], [], ""
    for kind, text in tokens(expression):
        if text == "(":
            open_functions.append(before)
        elif text == ")" and open_functions:
            open_functions.pop()
        elif kind == "range":
            found.append((open_functions[-1] if open_functions else "", text[1:-1]))
        before = text if kind == "word" else ""
    return found
