"""From the source to typed rows in one Parquet file, with what could not be read kept beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tasks.handlers.data_processing.database import Database, quoted
from tasks.handlers.data_processing.guessing import Column, count_fitting
from tasks.handlers.data_processing.kinds import TEXT, Reading
from tasks.handlers.data_processing.source import MISSING, Source

# A column is text after all when more of its values than this share cannot be read.
MOST_UNREADABLE = 0.05
LONGEST_UNREADABLE = 80
BETWEEN = "chr(31)"
ROWS_IN_GROUP = 122_880
VALUES_IN_GROUP = 4_000_000


@dataclass
class Unreadable:
    """The values of a column that are not of its kind: how many, the first one and its row, counted from 0."""

    count: int
    row: int
    text: str


@dataclass
class Rows:
    """The typed rows: a Parquet file with the columns c0, c1, … and `unreadable`, as SQL in `table`."""

    path: Path
    columns: list[Column]
    count: int
    unreadable: dict[int, Unreadable] = field(default_factory=dict)

    @property
    def table(self) -> str:
        return f"read_parquet({quoted(self.path)}, file_row_number = true)"


def load(source: Source, columns: list[Column], database: Database, path: Path) -> Rows:
    """Write the rows; once more where the whole file shows that the sample has misled about a column."""
    rows = _written(source, columns, database, path)
    if _reconsider(rows, database):
        rows = _written(source, columns, database, path)
    return rows


def _written(source: Source, columns: list[Column], database: Database, path: Path) -> Rows:
    size = max(2048, min(ROWS_IN_GROUP, VALUES_IN_GROUP // len(columns)))
    database.run(f"COPY ({_typed(source, columns)}) TO {quoted(path)} (FORMAT parquet, ROW_GROUP_SIZE {size})")
    (count,) = database.one(f"SELECT count(*) FROM read_parquet({quoted(path)})")
    rows = Rows(path, columns, count)
    rows.unreadable = dict(_unreadable(rows, database))
    return rows


def _typed(source: Source, columns: list[Column]) -> str:
    """The inner SELECT reads each value once; the outer one takes out infinities and keeps what could not be read."""
    read = [f"{column.reading.of(column.key)} AS v{column.index}" for column in columns]
    values = [
        f"CASE WHEN isfinite(v{c.index}) THEN v{c.index} END AS {c.key}"
        if c.reading.may_be_infinite
        else f"v{c.index} AS {c.key}"
        for c in columns
    ]
    checked = [column for column in columns if not column.typed and column.reading is not TEXT]
    inner = f"SELECT {', '.join([*(c.key for c in checked), *read])} FROM {source.relation}"
    return f"SELECT {', '.join([*values, _leftovers(checked)])} FROM ({inner})"


def _leftovers(columns: list[Column]) -> str:
    """The texts that could not be read, each after its column's index; NULL for a row that has none."""
    if not columns:
        return "CAST(NULL AS VARCHAR) AS unreadable"
    missing = ", ".join(quoted(word) for word in MISSING)
    failed = [(column.index, _failed(column)) for column in columns]
    texts = ", ".join(
        f"CASE WHEN {test} AND trim(c{index}) NOT IN ({missing}) "
        f"THEN '{index}:' || replace(left(c{index}, {LONGEST_UNREADABLE}), {BETWEEN}, '') END"
        for index, test in failed
    )
    # NULLs are left out by concat_ws; the texts are put together for the few rows that need it.
    return f"CASE WHEN {' OR '.join(test for _, test in failed)} THEN concat_ws({BETWEEN}, {texts}) END AS unreadable"


def _failed(column: Column) -> str:
    read = f"(v{column.index} IS NULL AND {column.key} IS NOT NULL)"
    return f"({read} OR NOT isfinite(v{column.index}))" if column.reading.may_be_infinite else read


def _unreadable(rows: Rows, database: Database) -> Iterator[tuple[int, Unreadable]]:
    found = database.run(
        f"SELECT position, count(*), min(row), arg_min(text, row) FROM ({_texts(rows)}) GROUP BY position"
    )
    for position, count, row, text in found:
        yield position, Unreadable(count, row, text)


def _texts(rows: Rows) -> str:
    """The unreadable texts, one a row: `position` of its column, `row`, `text`."""
    return (
        f"SELECT CAST(split_part(one, ':', 1) AS INTEGER) AS position, row, substr(one, strpos(one, ':') + 1) AS text "
        f"FROM (SELECT file_row_number AS row, unnest(string_split(unreadable, {BETWEEN})) AS one "
        f"FROM {rows.table} WHERE unreadable <> '')"
    )


def _reconsider(rows: Rows, database: Database) -> bool:
    """Give another reading to each column that the sample has misled about. False: there is none."""
    changed = False
    for position, unreadable in rows.unreadable.items():
        column = rows.columns[position]
        (read,) = database.one(f"SELECT count({column.key}) FROM {rows.table}")
        if wider := _wider(column, rows, database):
            column.reading, changed = wider, True
        elif unreadable.count > MOST_UNREADABLE * (read + unreadable.count):
            column.reading, changed = TEXT, True
    return changed


def _wider(column: Column, rows: Rows, database: Database) -> Reading | None:
    """The reading that takes in most of what the column's own could not read."""
    fits = {}
    for reading in column.reading.wider:
        (fits[reading],) = database.one(
            f"SELECT {count_fitting(reading, 'text')} FROM ({_texts(rows)}) WHERE position = {column.index}"
        )
    best = max(fits, key=lambda reading: fits[reading], default=None)
    return best if best and fits[best] else None
