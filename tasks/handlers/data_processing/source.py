"""A table ready to be read: as SQL, its columns c0, c1, ... in order, each value as text unless it is typed already."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tasks.handlers.data_processing.database import quoted
from tasks.handlers.data_processing.dialect import Dialect

# The spellings of a missing value, as DuckDB's reader compares them: exactly.
MISSING = ["", "NA", "N/A", "n/a", "na", "null", "NULL", "Null", "NaN", "nan", "NAN", "#N/A", "-"]


def word_list(words: Iterable[str]) -> str:
    return f"[{', '.join(quoted(word) for word in words)}]"


# DuckDB would make a join of each IN over so many values: a list it compares in place.
MISSING_LIST = word_list(MISSING)
LONGEST_MISSING = max(map(len, MISSING))


@dataclass
class SetAside:
    """A line that does not fit the table, and why."""

    line: int
    reason: str
    text: str


@dataclass
class Source:
    """`relation` reads the whole table, `sample` some rows of it. `types` are DuckDB's, None where all is text.

    `first_line` is the line of the first row, counted from 1, or None where rows have no lines.
    """

    format: str
    name: str
    names: list[str]
    relation: str
    sample: str
    first_line: int | None = None
    types: list[str] | None = None
    rejects: bool = False
    details: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    path: Path | None = None
    dialect: Dialect | None = None

    @property
    def width(self) -> int:
        return len(self.names)

    def original_line(self, line: int) -> int:
        """Where what is now this line stood before the others were set aside."""
        gone = sorted(aside.line for aside in self.set_aside)
        position = line
        while (shifted := line + bisect_right(gone, position)) != position:
            position = shifted
        return position
