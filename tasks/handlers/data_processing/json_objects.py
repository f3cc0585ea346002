"""JSON as a source: JSON lines, or an array of objects; the objects' keys are the columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path

from django.utils.translation import gettext as _

from tasks.context import Fail
from tasks.handlers.data_processing.database import Database, quoted
from tasks.handlers.data_processing.delimited import text_details, text_warnings
from tasks.handlers.data_processing.dialect import MOST_COLUMNS, column_names
from tasks.handlers.data_processing.sampling import write_sample
from tasks.handlers.data_processing.source import MISSING_LIST, SetAside, Source
from tasks.handlers.data_processing.unpacking import PlainFile

# The form of a file by its kind, as DuckDB calls it.
FORMS = {"json-lines": "newline_delimited", "json-array": "array", "json": "unstructured"}
LONGEST_OBJECT = 16 * 1024 * 1024
LONGEST_TEXT = 500
MOST_BROKEN = 100_000
SAMPLE_ROWS = 20_000


def json_source(plain: PlainFile, folder: Path, database: Database) -> Source:
    """Raises Fail where nothing in it is an object, and for an array that is broken: it cannot be read in part."""
    keys = _keys(plain, database)
    names, warnings = column_names(keys, len(keys))
    source = Source(
        format=_("JSON"),
        name=plain.name,
        names=names,
        relation=_relation(plain.path, plain.kind, keys),
        sample=f"(FROM {_relation(plain.path, plain.kind, keys)} LIMIT {SAMPLE_ROWS})",
        details=text_details(plain),
        warnings=[*text_warnings(plain), *warnings],
        path=plain.path,
    )
    if plain.kind == "json-lines":
        write_sample(plain.path, folder / "sample")
        source.format, source.first_line = _("JSON lines"), 1
        source.sample = _relation(folder / "sample", plain.kind, keys)
        source.set_aside = _broken_lines(plain.path, database)
    return source


def _objects(path: Path, kind: str) -> str:
    broken = ", ignore_errors = true" if kind == "json-lines" else ""
    return (
        f"read_json_objects({quoted(path)}, format = {quoted(FORMS[kind])}, "
        f"maximum_object_size = {LONGEST_OBJECT}{broken})"
    )


def _keys(plain: PlainFile, database: Database) -> list[str]:
    """Every key of any object, in the order of their first appearance."""
    import duckdb

    try:
        rows = database.run(
            "SELECT key FROM (SELECT row_number() OVER () AS place, json_keys(json) AS keys, "
            f"unnest(keys) AS key, generate_subscripts(keys, 1) AS nth FROM {_objects(plain.path, plain.kind)} "
            "WHERE json_type(json) = 'OBJECT') "
            f"GROUP BY key ORDER BY min((place, nth)) LIMIT {MOST_COLUMNS + 1}"
        )
    except duckdb.InvalidInputException:
        raise Fail(_("%(name)s is JSON that is broken or breaks off.") % {"name": plain.name}) from None
    if not rows:
        raise Fail(_("%(name)s holds no JSON object that could be a row.") % {"name": plain.name})
    if len(rows) > MOST_COLUMNS:
        message = _("%(name)s has more than %(most)s different keys: they cannot all be columns.")
        raise Fail(message % {"name": plain.name, "most": f"{MOST_COLUMNS:,}"})
    return [key for (key,) in rows]


def _relation(path: Path, kind: str, keys: Sequence[str]) -> str:
    """Each key's value as text, what is nested as JSON; a missing one is NULL, whatever its spelling."""
    pointers = ", ".join(quoted("/" + key.replace("~", "~0").replace("/", "~1")) for key in keys)
    values = ", ".join(
        f"CASE WHEN NOT list_contains({MISSING_LIST}, fields[{i + 1}]) THEN fields[{i + 1}] END AS c{i}"
        for i in range(len(keys))
    )
    return (
        f"(SELECT {values} FROM (SELECT json ->> [{pointers}] AS fields "
        f"FROM {_objects(path, kind)} WHERE json_type(json) = 'OBJECT'))"
    )


def _broken_lines(path: Path, database: Database) -> list[SetAside]:
    found = database.run(
        f"SELECT place, json FROM (SELECT json, row_number() OVER () AS place FROM {_objects(path, 'json-lines')}) "
        f"WHERE json IS NULL OR json_type(json) <> 'OBJECT' ORDER BY place LIMIT {MOST_BROKEN}"
    )
    return _with_lines(path, [place for place, _json in found]) if found else []


def _with_lines(path: Path, places: Sequence[int]) -> list[SetAside]:
    """The lines at these places among all that are not empty, counted from 1."""
    wanted, found, places_seen = set(places), [], count(1)
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip() and next(places_seen) in wanted:
                text = line.decode("utf-8", "replace").strip()[:LONGEST_TEXT]
                found.append(SetAside(number, _("not a JSON object"), text))
                if len(found) == len(wanted):
                    break
    return found
