"""JSON lines as a source: one object a line, its keys the columns."""

from __future__ import annotations

from pathlib import Path

from django.utils.translation import gettext as _

from tasks.context import Fail
from tasks.handlers.data_processing.database import Database, quoted
from tasks.handlers.data_processing.delimited import text_warnings
from tasks.handlers.data_processing.dialect import MOST_COLUMNS, column_names
from tasks.handlers.data_processing.sampling import write_sample
from tasks.handlers.data_processing.source import MISSING, SetAside, Source
from tasks.handlers.data_processing.unpacking import PlainFile

LONGEST_OBJECT = 16 * 1024 * 1024
MOST_BROKEN = 100_000


def json_lines_source(plain: PlainFile, folder: Path, database: Database) -> Source:
    """Raises Fail where no line holds an object."""
    keys = _keys(plain, database)
    write_sample(plain.path, folder / "sample")
    names, warnings = column_names(keys, len(keys))
    return Source(
        format=_("JSON lines"),
        name=plain.name,
        names=names,
        relation=_relation(plain.path, keys),
        sample=_relation(folder / "sample", keys),
        first_line=1,
        details={"encoding": plain.encoding} | ({"packed_as": plain.packed_as} if plain.packed_as else {}),
        warnings=[*text_warnings(plain), *warnings],
        set_aside=_broken_lines(plain, database),
        path=plain.path,
    )


def _lines(path: Path) -> str:
    return (
        f"read_ndjson_objects({quoted(path)}, ignore_errors = true, format = 'newline_delimited', "
        f"maximum_object_size = {LONGEST_OBJECT})"
    )


def _keys(plain: PlainFile, database: Database) -> list[str]:
    """Every key of any line, in the order of their first appearance."""
    rows = database.run(
        f"SELECT key FROM (SELECT unnest(json_keys(json)) AS key, row_number() OVER () AS place "
        f"FROM {_lines(plain.path)} WHERE json_type(json) = 'OBJECT') "
        f"GROUP BY key ORDER BY min(place) LIMIT {MOST_COLUMNS + 1}"
    )
    if not rows:
        raise Fail(_("%(name)s holds no line that is a JSON object.") % {"name": plain.name})
    if len(rows) > MOST_COLUMNS:
        message = _("%(name)s has more than %(most)s different keys: they cannot all be columns.")
        raise Fail(message % {"name": plain.name, "most": f"{MOST_COLUMNS:,}"})
    return [key for (key,) in rows]


def _relation(path: Path, keys: list[str]) -> str:
    """Each key's value as text, what is nested as JSON; a missing one is NULL, whatever its spelling."""
    paths = ", ".join(quoted("$." + '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"') for key in keys)
    missing = ", ".join(quoted(word) for word in MISSING)
    values = ", ".join(
        f"CASE WHEN fields[{i}] NOT IN ({missing}) THEN fields[{i}] END AS c{i - 1}" for i in range(1, len(keys) + 1)
    )
    return (
        f"(SELECT {values} FROM (SELECT json ->> [{paths}] AS fields "
        f"FROM {_lines(path)} WHERE json_type(json) = 'OBJECT'))"
    )


def _broken_lines(plain: PlainFile, database: Database) -> list[SetAside]:
    rows = database.run(
        f"SELECT line, json FROM (SELECT json, row_number() OVER () AS line FROM {_lines(plain.path)}) "
        f"WHERE json IS NULL OR json_type(json) <> 'OBJECT' LIMIT {MOST_BROKEN}"
    )
    return [SetAside(line, _("not a JSON object"), str(json or "")[:500]) for line, json in rows]
