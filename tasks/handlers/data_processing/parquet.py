"""Parquet as a source: its columns have types already."""

from __future__ import annotations

from django.utils.translation import gettext as _

from tasks.context import Fail
from tasks.handlers.data_processing.database import Database, identifier, quoted
from tasks.handlers.data_processing.dialect import MOST_COLUMNS, column_names, too_many_columns
from tasks.handlers.data_processing.source import MISSING_LIST, Source
from tasks.handlers.data_processing.unpacking import PlainFile

SAMPLE_ROWS = 20_000


def damaged(plain: PlainFile) -> Fail:
    """What to say of a file that DuckDB cannot read, be it of its footer or of a page amid its rows."""
    return Fail(_("%(name)s is a Parquet file that is damaged.") % {"name": plain.name})


def parquet_source(plain: PlainFile, database: Database) -> Source:
    """Raises Fail where the file is damaged."""
    import duckdb

    table = f"read_parquet({quoted(plain.path)})"
    try:
        described = database.run(f"DESCRIBE FROM {table}")
    except duckdb.Error as error:  # of many classes, by where the damage is
        raise damaged(plain) from error
    if len(described) > MOST_COLUMNS:
        raise too_many_columns(plain.name, len(described))
    names, warnings = column_names([row[0] for row in described], len(described))
    columns = ", ".join(f"{_value(*row[:2])} AS c{i}" for i, row in enumerate(described))
    relation = f"(SELECT {columns} FROM {table})"
    return Source(
        format=_("Parquet"),
        name=plain.name,
        names=names,
        relation=relation,
        sample=f"(FROM {relation} LIMIT {SAMPLE_ROWS})",
        types=[row[1] for row in described],
        warnings=warnings,
        path=plain.path,
    )


def _value(name: str, type_name: str) -> str:
    """A column's value; in texts the spellings of a missing one count here too."""
    value = identifier(name)
    return f"CASE WHEN NOT list_contains({MISSING_LIST}, {value}) THEN {value} END" if type_name == "VARCHAR" else value
