"""From the source to typed rows in Parquet files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from tasks.context import Fail
from tasks.handlers.data_processing.casting import is_checked, typed
from tasks.handlers.data_processing.database import Database, quoted
from tasks.handlers.data_processing.guessing import Column, counts_of
from tasks.handlers.data_processing.rejects import forget_rejects
from tasks.handlers.data_processing.source import Source
from tasks.handlers.data_processing.unreadable import Unreadable, look_closer, reconsider

if TYPE_CHECKING:
    from tasks.handlers.data_processing.profile import ColumnProfile

# DuckDB's Parquet writer holds a block of 256 kB for every column of texts.
COLUMNS_IN_FILE = 400
# Quick to write and to read again; it is gone when the task ends.
UNPACKED = "FORMAT parquet, COMPRESSION uncompressed, WRITE_BLOOM_FILTER false"
LARGEST_DICTIONARY = 5000
ROWS_IN_GROUP = 61_440
VALUES_IN_GROUP = 4_000_000


@dataclass
class Rows:
    """The typed rows, in Parquet files of COLUMNS_IN_FILE columns each: c0, c1, …, `odd` and `file_row_number`.

    Of a big file that is read in one pass there is no Parquet: `relation` reads it anew, without row numbers; what it
    holds is counted already, in `profiles` and `repeated`, and `sample` is a table of some rows.
    """

    paths: list[Path]
    columns: list[Column]
    count: int
    unreadable: dict[int, Unreadable] = field(default_factory=dict)
    relation: str = ""
    sample: str = ""
    sampled: int = 0
    profiles: list[ColumnProfile] = field(default_factory=list)
    repeated: int | None = None

    @property
    def table(self) -> str:
        """All columns, as SQL: the files side by side, row by row."""
        if self.relation:
            return self.relation
        if len(self.paths) == 1:
            return _parquet(self.paths[0])
        keys = ", ".join(column.key for column in self.columns)
        files = " POSITIONAL JOIN ".join(f"{_parquet(path)} AS f{number}" for number, path in enumerate(self.paths))
        return f"(SELECT f0.file_row_number, {keys} FROM {files})"

    def table_of(self, columns: Sequence[Column]) -> str:
        """The one file these columns are in, if they are in one."""
        files = {file_of(column) for column in columns}
        return _parquet(self.paths[files.pop()]) if self.paths and len(files) == 1 else self.table

    def some_of(self, columns: Sequence[Column], every: int) -> str:
        """Every n-th row, or the sample, after FROM."""
        return self.sample or f"{self.table_of(columns)} WHERE file_row_number % {every} = 0"


def file_of(column: Column) -> int:
    return column.index // COLUMNS_IN_FILE


def _parquet(path: Path) -> str:
    return f"read_parquet({quoted(path)}, file_row_number = true)"


def load(source: Source, columns: list[Column], database: Database, folder: Path, *, in_order: bool) -> Rows:
    """Write the rows; once more where the whole file shows that the sample has misled about a column."""
    rows = _written(source, columns, database, folder, in_order)
    if rows.unreadable and reconsider(columns, rows.unreadable, database):
        rows = _written(source, columns, database, folder, in_order)
    return rows


def _written(source: Source, columns: list[Column], database: Database, folder: Path, in_order: bool) -> Rows:
    forget_rejects(database)
    slices = [columns[start : start + COLUMNS_IN_FILE] for start in range(0, len(columns), COLUMNS_IN_FILE)]
    paths = [folder / f"rows-{number}.parquet" for number in range(len(slices))]
    counts, odd = set(), 0
    for number, (path, some) in enumerate(zip(paths, slices, strict=True)):
        database.progress.begin_part(number, len(slices))
        rows_and_odd = typed(source, some, odd=True)
        database.copy(rows_and_odd, path, f"{UNPACKED}, {parquet_sizes(some)}", in_order=in_order or len(slices) > 1)
        count, odd_here = database.one(f"SELECT count(*), count(*) FILTER (odd) FROM {_parquet(path)}")
        counts.add(count)
        odd += odd_here
    if len(counts) > 1:
        raise Fail(_("%(name)s cannot be read: its lines are broken in too many ways.") % {"name": source.name})
    rows = Rows(paths, columns, counts.pop())
    if odd:
        rows.unreadable = _unreadable(source, rows, database)
    return rows


def _unreadable(source: Source, rows: Rows, database: Database) -> dict[int, Unreadable]:
    checked = [column for column in rows.columns if is_checked(column)]
    given = counts_of([f"count({c.key})" for c in checked], source.relation, database)
    read = {c.index: int(database.one(f"SELECT count({c.key}) FROM {rows.table_of([c])}")[0]) for c in checked}
    suspects = [column for column, texts in zip(checked, given, strict=True) if texts > read[column.index]]
    return look_closer(source, suspects, read, database)


def parquet_sizes(columns: Sequence[Column]) -> str:
    """The options of a Parquet file that keep what is written at once within memory."""
    rows = max(2048, min(ROWS_IN_GROUP, VALUES_IN_GROUP // len(columns)))
    return f"ROW_GROUP_SIZE {rows}, DICTIONARY_SIZE_LIMIT {min(rows // 5, LARGEST_DICTIONARY)}"
