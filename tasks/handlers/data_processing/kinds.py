"""The kinds of values a column may hold, and how each is written and read.

`{x}` in the SQL of a reading stands for the text (or, of a typed column, the value).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tasks.handlers.data_processing.database import quoted
from tasks.handlers.data_processing.source import MISSING_LIST


@dataclass(frozen=True)
class Reading:
    """How texts become values of a kind: `sql` gives NULL for a text it cannot read.

    The patterns are understood alike by Python and by RE2, which DuckDB uses. `guard` is what a whole text of the sample must match beside that: casts read more than a person would, such as
    2.5 as the integer 2. `also` is what at least one text must match. `least` is the share of texts that must fit.
    `may_be_infinite`: infinities are no values and have to be taken out. `wider` are readings that take in more: for a
    column whose sample has misled.
    """

    kind: str
    sql: str
    guard: str = ".*"
    told: str | Promise = ""
    also: str = ""
    least: float = 0.95
    may_be_infinite: bool = False
    wider: tuple[Reading, ...] = ()

    def of(self, expression: str) -> str:
        """The value read from this SQL expression."""
        return self.sql.replace("{x}", expression)


WHOLE = r"\s*[+-]?(0|[1-9]\d*)\s*"  # 007 is a name, not a number
POINT = r"\s*[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*|\s*[+-]?(?i:inf|infinity)\s*"
# What parts thousands beside a comma: space, no-break space, narrow no-break space, apostrophes.
PARTS = " \u00a0\u202f\u2019'"
BARE = f"translate({{x}}, {quoted(PARTS)}, '')"

NUMBER = Reading("number", "TRY_CAST({x} AS DOUBLE)", POINT, _("numbers with a decimal point"), may_be_infinite=True)
HUGE_INTEGER = Reading(
    "integer",
    "CASE WHEN NOT contains({x}, '.') THEN TRY_CAST({x} AS DECIMAL(38, 0)) END",
    WHOLE,
    _("whole numbers beyond 64 bits"),
    wider=(NUMBER,),
)
INTEGER = Reading(
    "integer",
    "CASE WHEN NOT contains({x}, '.') THEN TRY_CAST({x} AS BIGINT) END",
    WHOLE,
    _("whole numbers"),
    wider=(HUGE_INTEGER, NUMBER),
)
DECIMAL_COMMA = Reading(
    "number",
    f"CASE WHEN contains({{x}}, ',') THEN TRY_CAST(replace(replace({BARE}, '.', ''), ',', '.') AS DOUBLE) "
    r"WHEN regexp_full_match({x}, '[+-]?\d{1,3}(\.\d{3})+') THEN TRY_CAST(replace({x}, '.', '') AS DOUBLE) "
    f"ELSE TRY_CAST({BARE} AS DOUBLE) END",
    rf"\s*[+-]?(\d{{1,3}}([.{PARTS}]\d{{3}})+|\d+)([.,]\d+)?\s*",
    _("numbers with a decimal comma"),
    also=r"(.*,(\d{1,2}|\d{4,})|[+-]?0,\d+)\s*",
    may_be_infinite=True,
)
GROUPED = Reading(
    "number",
    f"TRY_CAST(replace({BARE}, ',', '') AS DOUBLE)",
    rf"\s*[+-]?(\d{{1,3}}([,{PARTS}]\d{{3}})+|0|[1-9]\d*)(\.\d+)?\s*",
    _("numbers with separated thousands"),
    may_be_infinite=True,
)
BOOLEAN = Reading("boolean", "TRY_CAST({x} AS BOOLEAN)", r"(?i)\s*(true|false|yes|no|t|f|y|n)\s*", _("yes or no"))
DURATION = Reading(
    "duration",
    "epoch(TRY_CAST({x} AS INTERVAL))",
    r"(?i)\s*(-?(\d+ days? )?\d+:\d{2}:\d{2}(\.\d+)?|(\d+ ?(d|h|m|s|min|days?|hours?|minutes?|seconds?) ?)+)\s*",
    _("durations, told in seconds"),
)
# Every single one must be a time of day: a duration beyond 24 hours tells that the others are durations too.
TIME = Reading(
    "time",
    "TRY_CAST(trim({x}) AS TIME)",
    r"\s*\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*",
    _("time of day"),
    least=1.0,
    wider=(DURATION,),
)
TEXT = Reading("text", "{x}", told=_("text"))
PADDED_TEXT = Reading(
    "text",
    f"CASE WHEN NOT list_contains({MISSING_LIST}, trim({{x}})) THEN trim({{x}}) END",
    told=_("text with spaces around it, which were taken off"),
)

ISO_DAY = r"\s*\d{4}[-/]\d{1,2}[-/]\d{1,2}"
ISO_TIME = r"[ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?"
ZONE = r"\s?(Z|UTC|[+-]\d{2}(:?\d{2})?)"
ZONED_DATETIME = Reading(
    "datetime",
    "CAST(TRY_CAST({x} AS TIMESTAMPTZ) AS TIMESTAMP)",
    rf"{ISO_DAY}({ISO_TIME}({ZONE})?)?\s*",
    _("year-month-day, time and zone, told in UTC"),
    may_be_infinite=True,
)
ISO_DATETIME = Reading(
    "datetime",
    "TRY_CAST({x} AS TIMESTAMP)",
    rf"{ISO_DAY}({ISO_TIME})?\s*",
    _("year-month-day and time"),
    may_be_infinite=True,
    wider=(ZONED_DATETIME,),
)
ISO_DATE = Reading(
    "date",
    "CASE WHEN strlen({x}) <= 12 THEN TRY_CAST({x} AS DATE) END",
    ISO_DAY + r"\s*",
    _("year-month-day"),
    may_be_infinite=True,
    wider=(ISO_DATETIME, ZONED_DATETIME),
)

# How dates are written elsewhere: as strptime knows it, for people, as a pattern. Where the first two both fit, it is
# the first, and a warning says so.
DAY_FIRST, MONTH_FIRST = "%d/%m/%Y", "%m/%d/%Y"
STYLES = [
    (DAY_FIRST, _("day/month/year"), r"\d{1,2}/\d{1,2}/\d{4}"),
    (MONTH_FIRST, _("month/day/year"), r"\d{1,2}/\d{1,2}/\d{4}"),
    ("%d.%m.%Y", _("day.month.year"), r"\d{1,2}\.\d{1,2}\.\d{4}"),
    ("%d.%m.%y", _("day.month.year"), r"\d{1,2}\.\d{1,2}\.\d{2}"),
    ("%d-%m-%Y", _("day-month-year"), r"\d{1,2}-\d{1,2}-\d{4}"),
    ("%d %b %Y", _("day month year"), r"\d{1,2} [A-Za-z]{3} \d{4}"),
    ("%d %B %Y", _("day month year"), r"\d{1,2} [A-Za-z]{3,} \d{4}"),
    ("%b %d, %Y", _("month day, year"), r"[A-Za-z]{3} \d{1,2}, \d{4}"),
]
CLOCKS = ["%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p"]
CLOCK = r" \d{1,2}:\d{2}(:\d{2})?( ?[AaPp][Mm])?"


def _dates() -> Iterator[Reading]:
    yield from (ISO_DATE, ISO_DATETIME, ZONED_DATETIME)
    for style, told, day in STYLES:
        yield Reading("date", f"CAST(try_strptime(trim({{x}}), '{style}') AS DATE)", rf"\s*{day}\s*", told)
        styles = ", ".join(quoted(one) for one in [*(f"{style} {clock}" for clock in CLOCKS), style])
        yield Reading("datetime", f"try_strptime(trim({{x}}), [{styles}])", rf"\s*{day}({CLOCK})?\s*", told)


# In the order in which they are tried: the first that fits is taken.
READINGS = [INTEGER, HUGE_INTEGER, NUMBER, BOOLEAN, *_dates(), TIME, DURATION, DECIMAL_COMMA, GROUPED]

INTEGER_TYPES = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
HUGE_TYPES = {"UBIGINT", "HUGEINT", "UHUGEINT"}
ZONED = " WITH TIME ZONE"


def reading_of_type(name: str) -> Reading | None:
    """How values of a type of DuckDB are taken over; None for texts, whose kind is to be found out."""
    if name == "VARCHAR":
        return None
    if name in INTEGER_TYPES:
        return Reading("integer", "CAST({x} AS BIGINT)")
    if name in HUGE_TYPES:
        return Reading("integer", "TRY_CAST({x} AS DECIMAL(38, 0))")
    if name.startswith("DECIMAL"):
        return Reading("integer" if name.endswith(",0)") else "number", "{x}")
    if name in {"FLOAT", "DOUBLE"}:
        return Reading("number", "CAST({x} AS DOUBLE)", may_be_infinite=True)
    if name.startswith("TIMESTAMP"):
        value = f"CAST({{x}} AS TIMESTAMP{ZONED})" if name.endswith(ZONED) else "{x}"
        return Reading("datetime", f"CAST({value} AS TIMESTAMP)", may_be_infinite=True)
    simple = {
        "BOOLEAN": Reading("boolean", "{x}"),
        "DATE": Reading("date", "{x}", may_be_infinite=True),
        "INTERVAL": Reading("duration", "epoch({x})"),
        "TIME": Reading("time", "{x}"),
        f"TIME{ZONED}": Reading("time", "CAST({x} AS TIME)"),
    }
    return simple.get(name, Reading("text", "CAST({x} AS VARCHAR)"))
