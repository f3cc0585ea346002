"""What holds between columns and between rows: correlations, repeated rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from tasks.handlers.data_processing.axes import NUMERIC, plain
from tasks.handlers.data_processing.database import Database
from tasks.handlers.data_processing.loading import Rows
from tasks.handlers.data_processing.profile import ColumnProfile

MOST_COMPARED = 30
COMPARED_ROWS = 200_000
STRONGEST = 30
WEAKEST = 0.1
BITS_A_ROW, MOST_BITS = 64, 2**29
MAYBE_UNIQUE = 0.95  # estimates of distinct counts are off by a few per cent


def correlations(rows: Rows, profiles: Sequence[ColumnProfile], database: Database) -> list[dict[str, Any]]:
    """The strongest of Pearson's correlations between the first numeric columns, in big files of every n-th row."""
    compared = [p for p in profiles if p.kind in NUMERIC and p.distinct > 1][:MOST_COMPARED]
    pairs = list(combinations(compared, 2))
    if not pairs:
        return []
    every = -(-rows.count // COMPARED_ROWS)
    asked = ", ".join(f"corr({a.axis}, {b.axis})" for a, b in pairs)
    found = database.one(f"SELECT {asked} FROM {rows.some_of([profile.column for profile in compared], every)}")
    known = [(a, b, round(r, 4)) for (a, b), r in zip(pairs, map(plain, found), strict=True) if r is not None]
    strong = sorted((one for one in known if abs(one[2]) >= WEAKEST), key=lambda one: -abs(one[2]))
    return [{"a": a.column.name, "b": b.column.name, "r": r} for a, b, r in strong[:STRONGEST]]


def repeated_rows(rows: Rows, profiles: Sequence[ColumnProfile], database: Database) -> int:
    """How many rows are equal to an earlier one."""
    if rows.repeated is not None:
        return rows.repeated
    if _has_key(rows, profiles, database):
        return 0
    (count,) = database.one(f"SELECT count(*) - count(DISTINCT {row_hash(rows)}) FROM {rows.table}")
    return int(count)


def row_hash(rows: Rows) -> str:
    """64 bits of all values of a row: two different rows share them once in ten million files of a million rows."""
    return f"hash({', '.join(column.key for column in rows.columns)})"


def _has_key(rows: Rows, profiles: Sequence[ColumnProfile], database: Database) -> bool:
    """Whether a column has another value in each row: then no row is repeated, and that is quicker to see."""
    unique = [p for p in profiles if not p.nulls and p.distinct >= MAYBE_UNIQUE * rows.count]
    if any(p.distinct_is_exact and p.distinct == rows.count for p in unique):
        return True
    # The likeliest and quickest first: whole numbers, such as keys are.
    for profile in sorted(unique, key=lambda p: p.kind != "integer")[:1]:
        (profile.distinct,) = database.one(
            f"SELECT {_count_distinct(profile, rows)} FROM {rows.table_of([profile.column])}"
        )
        profile.distinct_is_exact = True
        return profile.distinct == rows.count
    return False


def _count_distinct(profile: ColumnProfile, rows: Rows) -> str:
    """Whole numbers that lie close together are ticked off in a string of bits, which takes little time and room."""
    least, most = profile.facts["min"], profile.facts["max"]
    if profile.kind == "integer" and most - least < min(BITS_A_ROW * rows.count, MOST_BITS):
        return f"bit_count(bitstring_agg({profile.key}, {least}, {most}))"
    return f"count(DISTINCT {profile.key})"
