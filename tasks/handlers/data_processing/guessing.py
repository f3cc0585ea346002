"""Which kind a column has: of the readings in their order the first one that fits 95 % of its values in the sample."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
from tasks.handlers.data_processing.source import MISSING_LIST, Source

ASKED_AT_ONCE = 100
SOME_VALUES = 30
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
        # A file that is read again after a cure says it once.
        source.warnings += [one for one in _ambiguous_dates(texts, database) if one not in source.warnings]
        database.run("DROP TABLE sample")
    return columns


def _guess(columns: list[Column], database: Database) -> None:
    """Some values tell which readings come into question at all; all values of the sample then decide."""
    some = [f"list_slice(list({c.key}) FILTER ({c.key} IS NOT NULL), 1, {SOME_VALUES})" for c in columns]
    seen = _ask_each(database, some)
    counts = counts_of([_count_values(column) for column in columns], "sample", database)
    for column, count in zip(columns, counts, strict=True):
        column.values_in_sample = count
    plausible = {column.index: _plausible(values) for column, values in zip(columns, seen, strict=True)}
    undecided = [column for column in columns if plausible[column.index]]
    while undecided:
        _try([(column, plausible[column.index].pop(0)) for column in undecided], database)
        undecided = [column for column in undecided if column.reading is TEXT and plausible[column.index]]
    _find_padding([column for column in columns if column.reading is TEXT], database)


def _try(tries: Sequence[tuple[Column, Reading]], database: Database) -> None:
    """Give each column this reading if it fits."""
    fits = counts_of([count_fitting(reading, column.key) for column, reading in tries], "sample", database)
    asked = [(column, reading) for column, reading in tries if reading.also]
    hits = counts_of([_count_hits(reading, column.key) for column, reading in asked], "sample", database)
    unlikely = {column.index for (column, _reading), hit in zip(asked, hits, strict=True) if not hit}
    for (column, reading), fit in zip(tries, fits, strict=True):
        if fit >= max(1, reading.least * column.values_in_sample) and column.index not in unlikely:
            column.reading = reading


def _plausible(values: Sequence[str] | None) -> list[Reading]:
    return [reading for reading in READINGS if any(re.fullmatch(reading.guard, text) for text in values or [])]


def _count_values(column: Column) -> str:
    """A missing value with spaces around it is none, though DuckDB's reader has let it pass."""
    return f"count(*) FILTER (NOT list_contains({MISSING_LIST}, trim({column.key})))"


def _count_hits(reading: Reading, key: str) -> str:
    return f"count(*) FILTER (regexp_full_match({key}, {quoted(reading.also)}))"


def _find_padding(columns: list[Column], database: Database) -> None:
    padded = counts_of([f"count(*) FILTER ({c.key} <> trim({c.key}))" for c in columns], "sample", database)
    for column, count in zip(columns, padded, strict=True):
        column.reading = PADDED_TEXT if count else TEXT


def count_fitting(reading: Reading, key: str) -> str:
    """As SQL: how many texts of a column fit a reading."""
    return f"count(CASE WHEN regexp_full_match({key}, {quoted(reading.guard)}) THEN {reading.of(key)} END)"


def counts_of(counts: Sequence[str], table: str, database: Database) -> list[int]:
    """Counts over a table, some at a time: a statement that names thousands takes long and much memory."""
    return _ask_each(database, counts, table)


def _ask_each(database: Database, asked: Sequence[str], table: str = "sample") -> list[Any]:
    found: list[Any] = []
    for start in range(0, len(asked), ASKED_AT_ONCE):
        found += database.one(f"SELECT {', '.join(asked[start : start + ASKED_AT_ONCE])} FROM {table}")
        database.progress.part(start, len(asked))
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
