"""In which line of the original file a row stands."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from tasks.handlers.data_processing.database import Database
from tasks.handlers.data_processing.loading import Rows
from tasks.handlers.data_processing.source import Source

CHUNK = 8 * 1024 * 1024


class Lines:
    """Knows the line of each row, where that can be known: values may go over several lines, empty ones are no rows."""

    def __init__(self, source: Source, rows: Rows, database: Database) -> None:
        self.source = source
        self.rows = rows
        self.database = database

    def line_of(self, row: int) -> int | None:
        """The line of a row, the row counted from 0, the line from 1. None where it cannot be told."""
        if self.source.first_line is None or not self._adds_up:
            return None
        line = self.source.first_line + row + self._breaks_before(row)
        return self.source.original_line(line)

    @cached_property
    def _adds_up(self) -> bool:
        """Whether rows, line ends within values, lines set aside and lines before them are all the file has."""
        assert self.source.path
        first = self.source.first_line or 1
        expected = first - 1 + self.rows.count + len(self.source.set_aside) + self._breaks_before(self.rows.count)
        return expected == count_lines(self.source.path)

    def _breaks_before(self, row: int) -> int:
        texts = [column.key for column in self.rows.columns if column.kind == "text"]
        if not texts or self.source.dialect is None:
            return 0
        breaks = " + ".join(f"coalesce(length({key}) - length(replace({key}, chr(10), '')), 0)" for key in texts)
        return int(
            self.database.one(
                f"SELECT coalesce(sum({breaks}), 0) FROM {self.rows.table} WHERE file_row_number < {row}"
            )[0]
        )


def count_lines(path: Path) -> int:
    """The last one need not end with a line end."""
    lines, last = 0, b"\n"
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            lines += chunk.count(b"\n")
            last = chunk[-1:]
    return lines + (last != b"\n")
