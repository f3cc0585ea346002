"""The facts of each column: how many values, which, how they are distributed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.handlers.data_processing.axes import NUMERIC, Scale, axis_of, fences, plain, scale_of, value_of
from tasks.handlers.data_processing.database import Database, quoted
from tasks.handlers.data_processing.guessing import Column
from tasks.handlers.data_processing.loading import Rows

# Above so many rows quartiles are of every n-th row, and distinct counts of many values are estimates (HyperLogLog).
EXACT_ROWS = 1_000_000
# How many values a statement may hold in memory; it takes fewer columns at once for that.
VALUES_AT_ONCE = 8_000_000
COLUMNS_AT_ONCE = 50
FEW_VALUES = 200
TOP = 8
COLUMNS_WITH_TOP = 200
MANY_VALUES = 50_000
CANDIDATES = 50
SPARSER = 2


@dataclass
class ColumnProfile:
    """A column's facts as JSON holds them; None where they do not apply. `axis` is the column as numbers, in SQL."""

    column: Column
    axis: str | None
    values: int = 0
    nulls: int = 0
    distinct: int = 0
    distinct_is_exact: bool = True
    least: float | None = None
    most: float | None = None
    quartiles: list[float] | None = None
    scale: Scale | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return self.column.kind if self.values else "empty"

    @property
    def key(self) -> str:
        return self.column.key


class Profiler:
    """Asks the rows for the facts of all columns, some columns at a time."""

    def __init__(self, rows: Rows, database: Database) -> None:
        self.rows = rows
        self.database = database
        self.exact = rows.count <= EXACT_ROWS
        self.every = 1 if self.exact else -(-rows.count // EXACT_ROWS)
        types = {row[0]: row[1] for row in database.run(f"DESCRIBE FROM {rows.table}")}
        self.profiles = [
            ColumnProfile(c, axis_of(c.kind, c.key, types[c.key]) if c.kind != "text" else None) for c in rows.columns
        ]

    def run(self) -> list[ColumnProfile]:
        batches = list(self._batches())
        for done, batch in enumerate(batches):
            self.database.progress.begin_part(done, len(batches))
            self._count(batch)
            on_axis = [p for p in batch if p.axis and p.values]
            self._quartiles([p for p in on_axis if p.kind != "boolean"])
            self._histograms([p for p in on_axis if p.scale or p.quartiles])
            self._few_values([p for p in batch if 0 < p.distinct <= FEW_VALUES])
        self._many_texts([p for p in self.profiles if p.kind == "text" and p.distinct > FEW_VALUES])
        return self.profiles

    def _batches(self) -> Iterator[list[ColumnProfile]]:
        size = max(1, min(COLUMNS_AT_ONCE, VALUES_AT_ONCE // max(1, min(self.rows.count, EXACT_ROWS))))
        for start in range(0, len(self.profiles), size):
            yield self.profiles[start : start + size]

    def _select(self, expressions: Sequence[str], where: str = "true") -> tuple[Any, ...]:
        return self.database.one(f"SELECT {', '.join(expressions)} FROM {self.rows.table} WHERE {where}")

    def _count(self, batch: list[ColumnProfile]) -> None:
        asked = [expression for profile in batch for expression in self._counts(profile)]
        found = iter(self._select(asked))
        for profile in batch:
            profile.values, profile.distinct = next(found), next(found)
            profile.nulls = self.rows.count - profile.values - self._unreadable(profile)
            profile.distinct = min(profile.distinct, profile.values)
            profile.distinct_is_exact = self.exact
            if profile.axis:
                self._take_numbers(profile, found)
            else:
                least, most, shortest, longest = (next(found) for _ in range(4))
                profile.facts |= {"min": plain(least), "max": plain(most), "shortest": shortest, "longest": longest}

    def _unreadable(self, profile: ColumnProfile) -> int:
        found = self.rows.unreadable.get(profile.column.index)
        return found.count if found else 0

    def _counts(self, profile: ColumnProfile) -> list[str]:
        key, axis = profile.key, profile.axis
        distinct = f"count(DISTINCT {key})" if self.exact else f"approx_count_distinct({key})"
        if axis is None:
            return [
                f"count({key})",
                distinct,
                f"min({key})",
                f"max({key})",
                f"min(length({key}))",
                f"max(length({key}))",
            ]
        return [
            f"count({key})", distinct, f"min({key})", f"max({key})", f"min({axis})", f"max({axis})",
            f"avg({axis})", f"stddev_samp({axis})", f"sum({axis})",
        ]  # fmt: skip

    def _take_numbers(self, profile: ColumnProfile, found: Iterator[Any]) -> None:
        kind = profile.column.kind
        least, most, profile.least, profile.most, mean, deviation, total = (next(found) for _ in range(7))
        profile.facts |= {"min": plain(least), "max": plain(most)}
        profile.facts["mean"] = value_of("number" if kind in NUMERIC | {"boolean"} else kind, mean)
        if kind in NUMERIC | {"duration"}:
            profile.facts |= {"std": plain(deviation), "sum": plain(total)}

    def _quartiles(self, batch: list[ColumnProfile]) -> None:
        if not batch:
            return
        asked = [f"quantile_cont({profile.axis}, [0.25, 0.5, 0.75])" for profile in batch]
        for profile, quartiles in zip(batch, self._select(asked, f"file_row_number % {self.every} = 0"), strict=True):
            if quartiles is None:  # too rare to be in every n-th row
                continue
            profile.quartiles = [float(one) for one in quartiles]
            names = dict(zip(("q25", "q50", "q75"), profile.quartiles, strict=True))
            profile.facts |= {name: value_of(profile.kind, number) for name, number in names.items()}

    def _histograms(self, batch: list[ColumnProfile]) -> None:
        drawn = []
        for profile in batch:
            least, most = float(profile.least or 0), float(profile.most or 0)
            q25, _, q75 = profile.quartiles or [least, least, most]
            profile.scale = scale_of(profile.kind, least, most, q25, q75)
            if profile.scale:
                low, high = fences(q25, q75)
                outliers = f"count(*) FILTER ({profile.axis} < {low!r} OR {profile.axis} > {high!r})"
                bins = f"histogram({profile.scale.bin_of(str(profile.axis))}) FILTER ({profile.axis} IS NOT NULL)"
                drawn.append((profile, [bins, outliers]))
        if not drawn:
            return
        found = iter(self._select([expression for _, asked in drawn for expression in asked]))
        for profile, _asked in drawn:
            self._take_histogram(profile, next(found), next(found))

    def _take_histogram(self, profile: ColumnProfile, counts: dict[int, int], outliers: int) -> None:
        scale, quartiles = profile.scale, profile.quartiles
        assert scale
        profile.facts["histogram"] = [
            {
                "from": value_of(profile.kind, scale.bounds(number)[0]),
                "to": value_of(profile.kind, scale.bounds(number)[1]),
                "count": counts.get(number, 0),
            }
            for number in range(scale.bins)
        ]
        if profile.kind in NUMERIC | {"duration"} and quartiles and quartiles[2] > quartiles[0]:
            profile.facts["outliers"] = outliers

    def _few_values(self, batch: list[ColumnProfile]) -> None:
        """The commonest of values that are few, and exactly how many there are."""
        if not batch:
            return
        for profile, counts in zip(batch, self._select([f"histogram({p.key})" for p in batch]), strict=True):
            profile.distinct, profile.distinct_is_exact = len(counts), True
            common = sorted(counts.items(), key=lambda item: -item[1])[:TOP]
            profile.facts["top"] = [{"value": plain(value), "count": count} for value, count in common]

    def _many_texts(self, profiles: list[ColumnProfile]) -> None:
        """The commonest of texts that are many. Where nearly each is another, none is common: not asked in big files."""
        asked = [p for p in profiles if self.exact or p.distinct <= p.values // 2][:COLUMNS_WITH_TOP]
        for done, profile in enumerate(asked):
            self.database.progress.part(done, len(asked))
            found = self._commonest(profile)
            profile.facts["top"] = [{"value": plain(value), "count": count} for value, count in found if count > 1]

    def _commonest(self, profile: ColumnProfile) -> list[tuple[str, int]]:
        """Of very many texts, those are counted that are common in a sample: what is common at all is so there."""
        key, some = profile.key, ""
        if profile.distinct > MANY_VALUES:
            common = self.database.run(self._group(key, f"file_row_number % {self.every * SPARSER} = 0", CANDIDATES))
            some = f" AND {key} IN ({', '.join(quoted(value) for value, _count in common)})"
        return self.database.run(self._group(key, f"{key} IS NOT NULL{some}", TOP))

    def _group(self, key: str, where: str, limit: int) -> str:
        return (
            f"SELECT {key}, count(*) AS n FROM {self.rows.table} WHERE {where} "
            f"GROUP BY 1 ORDER BY n DESC, 1 LIMIT {limit}"
        )
