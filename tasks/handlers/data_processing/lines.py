"""In which line of the original file a row stands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tasks.handlers.data_processing.database import Database
from tasks.handlers.data_processing.loading import Rows
from tasks.handlers.data_processing.source import Source

CHUNK = 8 * 1024 * 1024


def lines_of(wanted: Sequence[int], source: Source, rows: Rows, database: Database) -> dict[int, int]:
    """The lines, counted from 1, of rows, counted from 0. Empty where they cannot be told.

    Values may go over several lines, and empty lines are no rows: only if rows, line ends within values, lines set
    aside and lines before the table add up to what the file has, each row's line is known.
    """
    if source.first_line is None or source.path is None or not wanted:
        return {}
    within = count_lines(source.path) - (source.first_line - 1 + rows.count + len(source.set_aside))
    breaks = dict.fromkeys(wanted, 0)
    if within:
        *before, everywhere = _breaks_before([*wanted, rows.count], source, rows, database)
        if everywhere != within:
            return {}
        breaks = dict(zip(wanted, before, strict=True))
    return {row: source.original_line(source.first_line + row + breaks[row]) for row in wanted}


def _breaks_before(wanted: Sequence[int], source: Source, rows: Rows, database: Database) -> Sequence[int]:
    """How many line ends are within the values of the rows before each of these."""
    keys = [column.key for column in rows.columns if not column.typed]
    breaks = " + ".join(f"coalesce(length({key}) - length(replace({key}, chr(10), '')), 0)" for key in keys)
    asked = ", ".join(f"coalesce(sum(breaks) FILTER (row < {row}), 0)" for row in wanted)
    numbered = f"SELECT {breaks} AS breaks, row_number() OVER () - 1 AS row FROM {source.relation}"
    return [int(count) for count in database.one(f"SELECT {asked} FROM ({numbered})")]


def count_lines(path: Path) -> int:
    """The last one need not end with a line end."""
    lines, last = 0, b"\n"
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            lines += chunk.count(b"\n")
            last = chunk[-1:]
    return lines + (last != b"\n")
