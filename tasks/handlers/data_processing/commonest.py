"""The commonest values of columns, and of texts the first, the last, the shortest and the longest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tasks.handlers.data_processing.axes import plain
from tasks.handlers.data_processing.database import quoted
from tasks.handlers.data_processing.profile import ColumnProfile, Table

TOP = 8
FEW_VALUES = 200
MANY_VALUES = 50_000
CANDIDATES = 50
SPARSER = 2  # than the rows that quartiles are of
# In a very wide table the texts of the columns after these are not counted one by one.
COLUMNS_COUNTED = 200


def find_few(profiles: Sequence[ColumnProfile], table: Table) -> None:
    """Of columns with few different values: all of them, counted at once."""
    few = [profile for profile in profiles if 0 < profile.distinct <= FEW_VALUES]
    for profile, counts in zip(few, table.select(few, [f"histogram({profile.key})" for profile in few]), strict=True):
        take_all(profile, counts)


def take_all(profile: ColumnProfile, counts: Mapping[Any, int]) -> None:
    """How often each value of a column occurs."""
    profile.facts |= top_of(counts, exact=True)
    if counts and profile.column.kind == "text":
        lengths = [len(value) for value in counts]
        profile.facts |= {"min": plain(min(counts)), "max": plain(max(counts))}
        profile.facts |= {"shortest": min(lengths), "longest": max(lengths)}


def top_of(counts: Mapping[Any, int], *, exact: bool) -> dict[str, Any]:
    """The commonest ones. `exact`: no other value is as common."""
    common = sorted(counts.items(), key=lambda item: -item[1])[:TOP]
    return {"top": [{"value": plain(value), "count": count} for value, count in common], "top_is_exact": exact}


def find_many(profiles: Sequence[ColumnProfile], table: Table) -> None:
    """Of columns with many different texts. Where nearly each is another, none is common: not asked in big files."""
    many = [profile for profile in profiles if profile.kind == "text" and profile.distinct > FEW_VALUES]
    for batch in table.batches(many):
        _bounds(batch, table)
    counted = [p for p in many if table.exact or p.distinct <= p.values // 2][:COLUMNS_COUNTED]
    for done, profile in enumerate(counted):
        table.database.progress.part(done, len(counted))
        found = _commonest(profile, table)
        profile.facts |= top_of({value: n for value, n in found if n > 1}, exact=profile.distinct <= MANY_VALUES)


def _bounds(profiles: Sequence[ColumnProfile], table: Table) -> None:
    found = iter(table.select(profiles, [asked for profile in profiles for asked in extremes_asked(profile)]))
    for profile in profiles:
        take_extremes(profile, found)


def extremes_asked(profile: ColumnProfile) -> list[str]:
    key = profile.key
    return [f"min({key})", f"max({key})", f"min(length({key}))", f"max(length({key}))"]


def take_extremes(profile: ColumnProfile, found: Iterator[Any]) -> None:
    profile.facts |= {name: plain(next(found)) for name in ("min", "max", "shortest", "longest")}


def _commonest(profile: ColumnProfile, table: Table) -> list[tuple[str, int]]:
    """Of very many texts those are counted that are common in a sample: what is common at all is common there."""
    where = f"{profile.key} IS NOT NULL"
    if profile.distinct > MANY_VALUES:
        some = f"{where} AND file_row_number % {table.every * SPARSER} = 0"
        candidates = _grouped(profile, table, some, CANDIDATES)
        where = f"{profile.key} IN ({', '.join(quoted(value) for value, _count in candidates)})"
    return _grouped(profile, table, where, TOP)


def _grouped(profile: ColumnProfile, table: Table, where: str, limit: int) -> list[tuple[str, int]]:
    return table.database.run(
        f"SELECT {profile.key}, count(*) AS n FROM {table.rows.table_of([profile.column])} WHERE {where} "
        f"GROUP BY 1 ORDER BY n DESC, 1 LIMIT {limit}"
    )
