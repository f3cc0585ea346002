"""How a text lays out its table: separator, quotes, header, the lines before it, the columns' names."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tasks.context import Fail
from tasks.handlers.data_processing import content

SEPARATORS = "\t;,|:"  # where two fit equally well the earlier one is taken
NAMES_OF_SEPARATORS = {
    ",": gettext_lazy("comma"),
    ";": gettext_lazy("semicolon"),
    "\t": gettext_lazy("tab"),
    "|": gettext_lazy("pipe"),
    ":": gettext_lazy("colon"),
    " ": gettext_lazy("space"),
}
ROWS_LOOKED_AT = 1000
LONGEST_LINE = 500_000
MOST_COLUMNS = 2500  # DuckDB holds a vector of each, several times over
LONGEST_NAME = 100

csv.field_size_limit(2 * content.HEAD)
YEAR = re.compile(r"(19|20)\d\d")


@dataclass
class Dialect:
    """`skipped` lines come before the table; `rows` are the first ones, the header left out.

    `padded`: the header names more columns than the rows have fields.
    """

    separator: str
    escape: str
    header: list[str] | None
    width: int
    skipped: int
    header_lines: int
    rows: list[list[str]]
    padded: bool = False

    @property
    def first_line(self) -> int:
        """The line of the first row, counted from 1."""
        return 1 + self.skipped + self.header_lines


def dialect_of(text: str, name: str, *, separator: str = "auto", header: str = "auto", whole: bool) -> Dialect:
    """The dialect of a table whose beginning is `text` (`whole`: that is all of it). Raises Fail."""
    lines = text.split("\n")
    _refuse_long_lines(lines, name)
    if not whole:
        lines.pop()
    if separator == "auto":
        agreements = {one: _agreement(lines, one) for one in SEPARATORS}
        separator = max(agreements, key=lambda one: agreements[one]) if any(agreements.values()) else ","
    escape = _escape_of(lines, separator)
    rows = _rows(lines, separator, escape)
    width = _usual_width(rows)
    if width > MOST_COLUMNS:
        raise too_many_columns(name, width)
    return _with_header(rows, Dialect(separator, escape, None, width, 0, 0, []), header, lines)


def _refuse_long_lines(lines: Sequence[str], name: str) -> None:
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            message = _("Line %(line)s of %(name)s is longer than %(limit)s characters: this is not a table.")
            raise Fail(message % {"line": number, "name": name, "limit": f"{LONGEST_LINE:,}"})


def too_many_columns(name: str, count: int) -> Fail:
    message = _("%(name)s has %(count)s columns; at most %(most)s are taken.")
    return Fail(message % {"name": name, "count": f"{count:,}", "most": f"{MOST_COLUMNS:,}"})


def _rows(lines: Sequence[str], separator: str, escape: str) -> list[list[str]]:
    """The first rows, empty lines left out."""
    rows = []
    try:
        for row in islice(_reader(lines, separator, escape), ROWS_LOOKED_AT):
            if row:
                rows.append(row)
    except csv.Error:  # a field beyond all bounds: an open quote has swallowed the rest
        pass
    return rows


def _escape_of(lines: Sequence[str], separator: str) -> str:
    """A quote within quotes is doubled; or else, where only so it makes sense, a backslash stands before it."""
    if not any('\\"' in line for line in lines):
        return '"'
    return next((escape for escape in '"\\' if _reads_cleanly(lines, separator, escape)), '"')


def _reads_cleanly(lines: Sequence[str], separator: str, escape: str) -> bool:
    try:
        for _row in islice(_reader(lines, separator, escape, strict=True), ROWS_LOOKED_AT):
            pass
    except csv.Error:
        return False
    return True


def _reader(lines: Sequence[str], separator: str, escape: str, *, strict: bool = False) -> Iterator[list[str]]:
    texts = (line + "\n" for line in lines)
    if escape == '"':
        return csv.reader(texts, delimiter=separator, strict=strict)
    return csv.reader(texts, delimiter=separator, strict=strict, doublequote=False, escapechar=escape)


def _agreement(lines: Sequence[str], separator: str) -> float:
    """The share of the first rows that have the usual number of fields, if that is more than one."""
    rows = _rows(lines[:200], separator, '"')
    width = _usual_width(rows)
    if width < 2:
        return 0.0
    share = sum(len(row) == width for row in rows) / len(rows)
    if separator == ":" and share < 1:  # more often it is part of a time
        return 0.0
    # A header has no decimal comma and no time of day in it: what splits the rows alone is no separator.
    return round(share if len(rows[0]) == width else share / 2, 2)


def _usual_width(rows: Sequence[Sequence[str]]) -> int:
    widths = Counter(len(row) for row in rows)
    return max(widths, key=lambda width: (widths[width], width), default=0)


def _with_header(rows: list[list[str]], dialect: Dialect, header: str, lines: Sequence[str]) -> Dialect:
    """Finds where the table begins, and whether its first row names the columns."""
    before = 0
    while before < len(rows) - 1 and len(rows[before]) == 1 < dialect.width and before < 20:
        before += 1
    dialect.skipped = _lines_of(lines, before)
    rows = rows[before:]
    if rows and (header == "yes" or (header == "auto" and looks_like_header(rows))):
        dialect.header, rows = rows[0], rows[1:]
        dialect.header_lines = 1 + sum(cell.count("\n") for cell in dialect.header)
        dialect.header = _fitted(dialect.header, rows, dialect.width)
        dialect.padded = len(dialect.header) > dialect.width
        dialect.width = max(dialect.width, len(dialect.header))
    dialect.rows = rows
    return dialect


def _fitted(header: list[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """A header that is one name short leaves out the first one, as R does, unless the rows end with a separator."""
    full = [row for row in rows if len(row) == width]
    if len(header) == width - 1 and any(row[-1].strip() for row in full):
        return ["", *header]
    return header


def _lines_of(lines: Sequence[str], rows: int) -> int:
    """How many lines the first `rows` take, with the empty ones before, between and after them."""
    taken = 0
    while taken < len(lines) and (rows or not lines[taken].strip()):
        rows -= bool(lines[taken].strip())
        taken += 1
    return taken


def looks_like_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns: words (or years beside words), none of which is a value further down."""
    first, rest = rows[0], rows[1:200]
    words = [cell.strip() for cell in first if cell.strip() and not YEAR.fullmatch(cell.strip())]
    if not words or any(_is_value(word) for word in words):
        return False
    below: list[set[str]] = [{row[i].strip() for row in rest if i < len(row)} for i in range(len(first))]
    return not any(cell.strip() and cell.strip() in values for cell, values in zip(first, below, strict=True))


def _is_value(word: str) -> bool:
    """Starts like a number or a date, or is one of the words for true, false and missing."""
    start = word.lstrip("+-.,€$£ ")[:1]
    return (start.isdigit() and not any(c.isalpha() for c in word[:4])) or word.lower() in {
        "true", "false", "yes", "no", "na", "n/a", "null", "nan", "-",
    }  # fmt: skip


def column_names(header: Sequence[str] | None, width: int) -> tuple[list[str], list[str]]:
    """A name for each column, each different, and a warning for each that had none or one that was taken.

    Case makes no difference: databases and DuckDB make none.
    """
    names: list[str] = []
    warnings: list[str] = []
    taken: set[str] = set()
    for position in range(1, width + 1):
        given = " ".join((header[position - 1] if header and position <= len(header) else "").split())[:LONGEST_NAME]
        name = given or f"column_{position}"
        number = 2
        while name.lower() in taken:
            name, number = f"{given or f'column_{position}'}_{number}", number + 1
        if header and not given:
            warnings.append(
                _("Column %(position)s has no name; it is called %(name)s.") % {"position": position, "name": name}
            )
        elif given and name != given:
            message = _("Column %(position)s is called %(given)s like another; it is called %(name)s here.")
            warnings.append(message % {"position": position, "given": given, "name": name})
        taken.add(name.lower())
        names.append(name)
    return names, warnings
