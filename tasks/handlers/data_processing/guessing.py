"""Which kind a column has: of the readings in their order the first one that fits 95 % of its values in the sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from tasks.handlers.data_processing.database import Database, quoted
from tasks.handlers.data_processing.kinds import (
    DAY_FIRST,
    MONTH_FIRST,
    PADDED_TEXT,
    READINGS,
    TEXT,
    Reading,
    reading_of_type,
)
from tasks.handlers.data_processing.source import Source

COLUMNS_AT_ONCE = 100
SAMPLE_ROWS = 10_000
SAMPLE_VALUES = 400_000


@dataclass
class Column:
    """A column of the source: `c<index>` in every relation, `name` for people, read by `reading`."""

    index: int
    name: str
    reading: Reading = TEXT
    typed: bool = False
    values_in_sample: int = 0

    @property
    def key(self) -> str:
        return f"c{self.index}"

    @property
    def kind(self) -> str:
        return self.reading.kind


def columns_of(source: Source, database: Database) -> list[Column]:
    """The columns with the reading of each."""
    columns = [Column(index, name) for index, name in enumerate(source.names)]
    for column, type_name in zip(columns, source.types or [], strict=False):
        if reading := reading_of_type(type_name):
            column.reading, column.typed = reading, True
    texts = [column for column in columns if not column.typed]
    if texts:
        count = max(100, min(SAMPLE_ROWS, SAMPLE_VALUES // len(columns)))
        some = f"USING SAMPLE reservoir({count} ROWS) REPEATABLE (1)"
        database.run(f"CREATE OR REPLACE TEMP TABLE sample AS FROM {source.sample} {some}")
        _guess(texts, database)
        source.warnings += _ambiguous_dates(texts, database)
        database.run("DROP TABLE sample")
    return columns


def _guess(columns: list[Column], database: Database) -> None:
    counts = _count_each(database, [f"count({column.key})" for column in columns])
    for column, count in zip(columns, counts, strict=True):
        column.values_in_sample = count
    undecided = [column for column in columns if column.values_in_sample]
    for tried, reading in enumerate(READINGS, 1):
        fitting = _fitting(reading, undecided, database)
        undecided = [column for column in undecided if column not in fitting]
        for column in fitting:
            column.reading = reading
        database.progress.part(tried, len(READINGS))
    padded = _count_each(database, [f"count(*) FILTER ({c.key} <> trim({c.key}))" for c in undecided])
    for column, count in zip(undecided, padded, strict=True):
        column.reading = PADDED_TEXT if count else TEXT


def _fitting(reading: Reading, columns: list[Column], database: Database) -> list[Column]:
    fits = _count_each(database, [count_fitting(reading, column.key) for column in columns])
    found = [
        column
        for column, count in zip(columns, fits, strict=True)
        if count and count >= reading.least * column.values_in_sample
    ]
    if not reading.also or not found:
        return found
    also = quoted(reading.also)
    hits = _count_each(database, [f"count(*) FILTER (regexp_full_match({c.key}, {also}))" for c in found])
    return [column for column, count in zip(found, hits, strict=True) if count]


def count_fitting(reading: Reading, key: str) -> str:
    """As SQL: how many texts of a column fit a reading."""
    return f"count(CASE WHEN regexp_full_match({key}, {quoted(reading.guard)}) THEN {reading.of(key)} END)"


def _count_each(database: Database, counts: Sequence[str]) -> list[int]:
    return counts_of(counts, "sample", database)


def counts_of(counts: Sequence[str], table: str, database: Database) -> list[int]:
    """Counts over a table, some columns at a time: a statement that names thousands takes long and much memory."""
    found: list[int] = []
    for start in range(0, len(counts), COLUMNS_AT_ONCE):
        found += database.one(f"SELECT {', '.join(counts[start : start + COLUMNS_AT_ONCE])} FROM {table}")
    return found


def _ambiguous_dates(columns: Sequence[Column], database: Database) -> list[str]:
    """A warning for each column whose dates could as well be meant the other way round."""
    warnings = []
    for column in columns:
        if column.kind in {"date", "datetime"} and DAY_FIRST in column.reading.sql:
            swapped = column.reading.sql.replace(DAY_FIRST, MONTH_FIRST).replace("{x}", column.key)
            (count,) = database.one(f"SELECT count({swapped}) FROM sample")
            if count >= column.reading.least * column.values_in_sample:
                message = _("%(column)s was read as day/month/year; it could also be month/day/year.")
                warnings.append(message % {"column": column.name})
    return warnings
