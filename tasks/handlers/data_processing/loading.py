"""From the source to typed rows in Parquet files, and a closer look at what could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.utils.translation import gettext as _

from tasks.context import Fail
from tasks.handlers.data_processing.database import Database, quoted
from tasks.handlers.data_processing.guessing import Column, count_fitting, counts_of
from tasks.handlers.data_processing.kinds import TEXT, Reading
from tasks.handlers.data_processing.rejects import forget_rejects
from tasks.handlers.data_processing.source import MISSING_LIST, Source

# A column is text after all when more of its values than this share cannot be read.
MOST_UNREADABLE = 0.05
LONGEST_UNREADABLE = 80
# DuckDB's Parquet writer holds a block of 256 kB for every column of texts.
COLUMNS_IN_FILE = 400
# Quick to write and to read again; it is gone when the task ends.
UNPACKED = "FORMAT parquet, COMPRESSION uncompressed, WRITE_BLOOM_FILTER false"
LARGEST_DICTIONARY = 5000
ROWS_IN_GROUP = 61_440
VALUES_IN_GROUP = 4_000_000


@dataclass
class Unreadable:
    """The values of a column that are not of its kind: how many, the first one and its row, counted from 0."""

    count: int
    row: int
    text: str


@dataclass
class Rows:
    """The typed rows, in Parquet files of COLUMNS_IN_FILE columns each: c0, c1, …, `odd` and `file_row_number`."""

    paths: list[Path]
    columns: list[Column]
    count: int
    unreadable: dict[int, Unreadable] = field(default_factory=dict)

    @property
    def table(self) -> str:
        """All columns, as SQL: the files side by side, row by row."""
        if len(self.paths) == 1:
            return _parquet(self.paths[0])
        keys = ", ".join(column.key for column in self.columns)
        files = " POSITIONAL JOIN ".join(f"{_parquet(path)} AS f{number}" for number, path in enumerate(self.paths))
        return f"(SELECT f0.file_row_number, {keys} FROM {files})"

    def table_of(self, columns: Sequence[Column]) -> str:
        """The one file these columns are in, if they are in one."""
        files = {file_of(column) for column in columns}
        return _parquet(self.paths[files.pop()]) if len(files) == 1 else self.table


def file_of(column: Column) -> int:
    return column.index // COLUMNS_IN_FILE


def _parquet(path: Path) -> str:
    return f"read_parquet({quoted(path)}, file_row_number = true)"


def load(source: Source, columns: list[Column], database: Database, folder: Path, *, in_order: bool) -> Rows:
    """Write the rows; once more where the whole file shows that the sample has misled about a column."""
    rows = _written(source, columns, database, folder, in_order)
    if rows.unreadable and _reconsider(rows, database):
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
        rows.unreadable = _look_closer(source, rows, database)
    return rows


def parquet_sizes(columns: Sequence[Column]) -> str:
    """The options of a Parquet file that keep what is written at once within memory."""
    rows = max(2048, min(ROWS_IN_GROUP, VALUES_IN_GROUP // len(columns)))
    return f"ROW_GROUP_SIZE {rows}, DICTIONARY_SIZE_LIMIT {min(rows // 5, LARGEST_DICTIONARY)}"


def typed(source: Source, columns: Sequence[Column], *, odd: bool = False) -> str:
    """Each row read, as SQL; `odd` is one of whose texts is not of its column's kind, and needs a closer look."""
    checked = [column for column in columns if _is_checked(column)] if odd else []
    values = [f"{_value(column)} AS {column.key}" for column in columns]
    if odd:
        values.append(f"{' OR '.join(_is_odd(column) for column in checked) or 'false'} AS odd")
    return f"SELECT {', '.join(values)} FROM ({_read(source, columns, checked)})"


def _read(source: Source, columns: Sequence[Column], checked: Sequence[Column]) -> str:
    """Each text read once, as v0, v1, …; the texts of the `checked` columns are kept beside."""
    values = [f"{column.reading.of(column.key)} AS v{column.index}" for column in columns]
    return f"SELECT {', '.join([*(column.key for column in checked), *values])} FROM {source.relation}"


def _is_checked(column: Column) -> bool:
    return not column.typed and column.kind != "text"


def _value(column: Column) -> str:
    value = f"v{column.index}"
    return f"CASE WHEN isfinite({value}) THEN {value} END" if column.reading.may_be_infinite else value


def _is_odd(column: Column) -> str:
    return f"({_value(column)} IS NULL AND {column.key} IS NOT NULL)"


def _look_closer(source: Source, rows: Rows, database: Database) -> dict[int, Unreadable]:
    """Find what could not be read: the source is read again, but only the columns in question."""
    checked = [column for column in rows.columns if _is_checked(column)]
    given = counts_of([f"count({c.key})" for c in checked], source.relation, database)
    read = [database.one(f"SELECT count({c.key}) FROM {rows.table_of([c])}")[0] for c in checked]
    suspects = [column for column, texts, values in zip(checked, given, read, strict=True) if texts > values]
    _keep_texts(source, suspects, database)
    found = database.run("SELECT position, count(*), min(row), arg_min(text, row) FROM unreadable GROUP BY position")
    return {position: Unreadable(count, row, text) for position, count, row, text in found}


def _keep_texts(source: Source, suspects: list[Column], database: Database) -> None:
    """The unreadable texts in a table: `position` of the column, `row`, `text`."""
    ones = ", ".join(
        f"CASE WHEN {_is_odd(c)} THEN {{'position': {c.index}, 'text': left({c.key}, {LONGEST_UNREADABLE})}} END"
        for c in suspects
    )
    odd = " OR ".join(_is_odd(column) for column in suspects)
    database.run(
        "CREATE OR REPLACE TEMP TABLE unreadable AS SELECT one.position, row, one.text "
        f"FROM (SELECT row, unnest([{ones}]) AS one "
        f"FROM (SELECT *, row_number() OVER () - 1 AS row FROM ({_read(source, suspects, suspects)})) WHERE {odd}) "
        f"WHERE NOT list_contains({MISSING_LIST}, trim(one.text))"
    )


def _reconsider(rows: Rows, database: Database) -> bool:
    """Give another reading to each column that the sample has misled about. False: there is none."""
    changed = False
    for position, unreadable in rows.unreadable.items():
        column = rows.columns[position]
        (read,) = database.one(f"SELECT count({column.key}) FROM {rows.table_of([column])}")
        if wider := _wider(column, database):
            column.reading, changed = wider, True
        elif unreadable.count - _count(column.reading, column, database) > MOST_UNREADABLE * (read + unreadable.count):
            column.reading, changed = TEXT, True
    return changed


def _wider(column: Column, database: Database) -> Reading | None:
    """The reading that takes in most of what the column's own could not read."""
    fits = {reading: _count(reading, column, database) for reading in column.reading.wider}
    best = max(fits, key=lambda reading: fits[reading], default=None)
    return best if best and fits[best] else None


def _count(reading: Reading, column: Column, database: Database) -> int:
    """How many of the unreadable texts of a column fit a reading. Infinities fit its own."""
    sql = f"SELECT {count_fitting(reading, 'text')} FROM unreadable WHERE position = ?"
    return int(database.one(sql, [column.index])[0])
