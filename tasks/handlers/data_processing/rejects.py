"""The lines that DuckDB's CSV reader has refused."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tasks.handlers.data_processing.database import Database
from tasks.handlers.data_processing.source import SetAside, Source

BROKEN_TEXT = ("INVALID ENCODING",)
BROKEN_QUOTES = ("UNQUOTED VALUE", "LINE SIZE OVER MAXIMUM")


@dataclass
class Reject:
    line: int
    error: str
    message: str
    text: str


def forget_rejects(database: Database) -> None:
    """DuckDB keeps the rejects of every reading: what is read next shall be seen alone."""
    database.run("DROP TABLE IF EXISTS reject_errors")
    database.run("DROP TABLE IF EXISTS reject_scans")


def rejects_of(database: Database) -> list[Reject]:
    """One a line; of several readings of the same lines too."""
    rows = database.run(
        "SELECT line, any_value(CAST(error_type AS VARCHAR)), any_value(error_message), any_value(csv_line) "
        "FROM reject_errors GROUP BY line ORDER BY line"
    )
    return [Reject(*row) for row in rows]


def has_broken_text(database: Database) -> bool:
    return _has(database, BROKEN_TEXT)


def has_broken_quotes(database: Database) -> bool:
    return _has(database, BROKEN_QUOTES)


def _has(database: Database, errors: tuple[str, ...]) -> bool:
    places = ", ".join("?" for _error in errors)
    sql = f"SELECT count(*) FROM reject_errors WHERE CAST(error_type AS VARCHAR) IN ({places})"
    return bool(database.one(sql, errors)[0])


def set_aside(rejects: list[Reject], source: Source) -> list[SetAside]:
    """The refused lines where they stand in the original, in words."""
    return [SetAside(source.original_line(one.line), _reason(one), one.text or "") for one in rejects]


def _reason(reject: Reject) -> str:
    if reject.error == "TOO MANY COLUMNS" or reject.error == "MISSING COLUMNS":
        expected, found = re.findall(r"\d+", reject.message)[:2]
        message = ngettext(
            "%(found)s value instead of %(expected)s", "%(found)s values instead of %(expected)s", int(found)
        )
        return message % {"found": found, "expected": expected}
    if reject.error in BROKEN_QUOTES:
        return _("broken quotes")
    return _("text that is not UTF-8") if reject.error in BROKEN_TEXT else reject.error.lower()
