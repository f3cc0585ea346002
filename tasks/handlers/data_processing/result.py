"""What the task returns and what its profile file holds, from the facts that were found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasks.handlers.data_processing.axes import NUMERIC, plain
from tasks.handlers.data_processing.casting import typed
from tasks.handlers.data_processing.caveats import warnings_of
from tasks.handlers.data_processing.commonest import find_few, find_many
from tasks.handlers.data_processing.database import Database
from tasks.handlers.data_processing.lines import lines_of
from tasks.handlers.data_processing.loading import Rows
from tasks.handlers.data_processing.profile import ColumnProfile, Table, count
from tasks.handlers.data_processing.relations import correlations, repeated_rows
from tasks.handlers.data_processing.source import Source
from tasks.handlers.data_processing.spread import measure

FIRST_ROWS = 100
MOST_CELLS = 5000
# In the result of a very wide table the columns after these have figures only; the profile file has all.
COLUMNS_IN_FULL = 200
IN_FULL_ONLY = {"top": None, "histogram": None}
NOT_APPLICABLE = dict.fromkeys(
    [
        "min",
        "max",
        "mean",
        "std",
        "q25",
        "q50",
        "q75",
        "sum",
        "outliers",
        "shortest",
        "longest",
        "top",
        "top_is_exact",
        "histogram",
    ]
)


@dataclass
class Findings:
    """Everything found about a table."""

    source: Source
    rows: Rows
    profiles: list[ColumnProfile]
    correlations: list[dict[str, Any]]
    repeated: int
    warnings: list[str]
    first_rows: list[list[Any]]


def findings_of(source: Source, rows: Rows, database: Database) -> Findings:
    profiles = rows.profiles or _profiles(Table(rows, database))
    related = correlations(rows, profiles, database)
    repeated = repeated_rows(rows, profiles, database)
    lines = lines_of([unreadable.row for unreadable in rows.unreadable.values()], source, rows, database)
    warnings = warnings_of(source, rows, profiles, repeated, lines)
    return Findings(source, rows, profiles, related, repeated, warnings, _first_rows(source, rows, database))


def _profiles(table: Table) -> list[ColumnProfile]:
    profiles = table.profiles()
    batches = list(table.batches(profiles))
    for done, batch in enumerate(batches):
        table.database.progress.begin_part(done, len(batches))
        count(batch, table)
        measure(batch, table)
        find_few(batch, table)
    find_many(profiles, table)
    return profiles


def _first_rows(source: Source, rows: Rows, database: Database) -> list[list[Any]]:
    columns = rows.columns[: MOST_CELLS // FIRST_ROWS]
    found = database.run(f"{typed(source, columns)} LIMIT {FIRST_ROWS}")
    return [[plain(value) for value in row] for row in found]


def result_of(found: Findings, seconds: float) -> dict[str, Any]:
    """The contract's figures, of the first numeric column, and the profile, bounded for a table of any width."""
    profile = profile_of(found)
    for column in profile["columns"][COLUMNS_IN_FULL:]:
        column |= IN_FULL_ONLY
    return {
        "rows_processed": found.rows.count,
        **_figures(found.profiles),
        "processing_time": round(seconds, 3),
        **profile,
        "first_rows": {"names": found.source.names[: MOST_CELLS // FIRST_ROWS], "rows": found.first_rows},
    }


def _figures(profiles: Sequence[ColumnProfile]) -> dict[str, Any]:
    first = next((profile for profile in profiles if profile.kind in NUMERIC), None)
    facts = first.facts if first else {}
    return {
        "total_sum": facts.get("sum"),
        "average": facts.get("mean"),
        "max_value": facts.get("max"),
        "min_value": facts.get("min"),
        "numeric_column": first.column.name if first else None,
    }


def profile_of(found: Findings) -> dict[str, Any]:
    """All that was found, for the profile file."""
    cells = found.rows.count * len(found.profiles)
    empty = sum(profile.nulls for profile in found.profiles)
    return {
        "file": {"name": found.source.name, "format": found.source.format, **found.source.details},
        "rows": found.rows.count,
        "empty_cells": empty,
        "empty_share": round(empty / cells, 6) if cells else 0,
        "sampled_rows": found.rows.sampled or None,
        "repeated_rows": found.repeated,
        "lines_set_aside": len(found.source.set_aside),
        "warnings": found.warnings,
        "columns": [_column(profile, found.rows) for profile in found.profiles],
        "correlations": found.correlations,
    }


def _column(profile: ColumnProfile, rows: Rows) -> dict[str, Any]:
    unreadable = rows.unreadable.get(profile.column.index)
    return {
        "name": profile.column.name,
        "type": profile.kind,
        "written": str(profile.column.reading.told),
        "values": profile.values,
        "nulls": profile.nulls,
        "unreadable": unreadable.count if unreadable else 0,
        "distinct": profile.distinct,
        "distinct_is_exact": profile.distinct_is_exact,
        **NOT_APPLICABLE,
        **profile.facts,
    }
