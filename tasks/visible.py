"""Characters that hide or reorder text, shown as their codes; and escape sequences, which a terminal would obey."""

from __future__ import annotations

import re

# Control characters, and those that turn the direction of writing. Tabs and line ends are text.
INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|\r(?!\n)")
# Colours and weights (SGR).
SGR = re.compile(r"\x1b\[([0-9;]*)m")
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
LINE_ENDS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")


def code_of(character: str) -> str:
    return f"U+{ord(character):04X}"


def visible(text: str) -> str:
    return INVISIBLE.sub(lambda found: f"<{code_of(found[0])}>", text)


def visible_html(html: str) -> str:
    """The same for a page, where the brackets are text."""
    return INVISIBLE.sub(lambda found: f"&lt;{code_of(found[0])}&gt;", html)


def one_line(name: str) -> str:
    """A name as every door may show it: pages, terminals, tables, headers."""
    return visible(LINE_ENDS.sub(" ", name))


def for_terminal(text: str) -> str:
    """Without what a terminal would obey."""
    return visible(ESCAPES.sub("", text))
