"""The facts of each column: how many values, how many different ones, and what `spread` and `commonest` say of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from tasks.handlers.data_processing.axes import Scale, axis_of
from tasks.handlers.data_processing.database import Database
from tasks.handlers.data_processing.guessing import Column
from tasks.handlers.data_processing.loading import Rows, file_of

# Above so many rows quartiles are of every n-th row, and distinct counts above so many values estimates (HyperLogLog).
EXACT_ROWS = 1_000_000
EXACT_DISTINCT = 10_000
# How many values a statement may hold in memory; it takes fewer columns at once for that.
VALUES_AT_ONCE = 8_000_000
COLUMNS_AT_ONCE = 50


@dataclass
class ColumnProfile:
    """A column's facts as JSON holds them. `axis` is the column as numbers, in SQL; texts have none."""

    column: Column
    axis: str | None
    values: int = 0
    nulls: int = 0
    distinct: int = 0
    distinct_is_exact: bool = True
    quartiles: list[float] | None = None
    scale: Scale | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return self.column.kind if self.values else "empty"

    @property
    def key(self) -> str:
        return self.column.key


class Table:
    """The rows, to be asked for facts of several columns at once."""

    def __init__(self, rows: Rows, database: Database) -> None:
        self.rows = rows
        self.database = database
        self.exact = rows.count <= EXACT_ROWS
        self.every = 1 if self.exact else -(-rows.count // EXACT_ROWS)
        if not self.exact:
            rows.sampled = -(-rows.count // self.every)

    def select(self, batch: Sequence[ColumnProfile], asked: Sequence[str], where: str = "true") -> tuple[Any, ...]:
        """The answers to what is asked of these columns; none for no question."""
        if not asked:
            return ()
        table = self.rows.table_of([profile.column for profile in batch])
        return self.database.one(f"SELECT {', '.join(asked)} FROM {table} WHERE {where}")

    def select_some(self, batch: Sequence[ColumnProfile], asked: Sequence[str]) -> tuple[Any, ...]:
        """As `select`, in a big file of every n-th row."""
        return self.select(batch, asked, "true" if self.exact else f"file_row_number % {self.every} = 0")

    def profiles(self) -> list[ColumnProfile]:
        types = {row[0]: row[1] for row in self.database.run(f"DESCRIBE (FROM {self.rows.table})")}
        return [
            ColumnProfile(c, None if c.kind == "text" else axis_of(c.kind, c.key, types[c.key]))
            for c in self.rows.columns
        ]

    def batches(self, profiles: Sequence[ColumnProfile]) -> Iterator[Sequence[ColumnProfile]]:
        """As many columns at once as memory allows, and of one file."""
        size = max(1, min(COLUMNS_AT_ONCE, VALUES_AT_ONCE // max(1, min(self.rows.count, EXACT_ROWS))))
        for _file, group in groupby(profiles, key=lambda profile: file_of(profile.column)):
            together = list(group)
            for start in range(0, len(together), size):
                yield together[start : start + size]


def count(batch: Sequence[ColumnProfile], table: Table) -> None:
    """How many values there are, and how many different ones."""
    distinct = "count(DISTINCT {})" if table.exact else "approx_count_distinct({})"
    found = iter(table.select(batch, [asked for p in batch for asked in (f"count({p.key})", distinct.format(p.key))]))
    for profile in batch:
        profile.values = next(found)
        profile.distinct, profile.distinct_is_exact = min(next(found), profile.values), table.exact
        unreadable = table.rows.unreadable.get(profile.column.index)
        profile.nulls = table.rows.count - profile.values - (unreadable.count if unreadable else 0)
    _count_again([p for p in batch if not p.distinct_is_exact and p.distinct <= EXACT_DISTINCT], table)


def _count_again(estimated: Sequence[ColumnProfile], table: Table) -> None:
    """Where an estimate says that it takes little, the exact number."""
    for profile, distinct in zip(
        estimated, table.select(estimated, [f"count(DISTINCT {p.key})" for p in estimated]), strict=True
    ):
        profile.distinct, profile.distinct_is_exact = distinct, True
