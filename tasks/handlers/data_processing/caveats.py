"""The warnings: what a person should know before they trust the figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from tasks.handlers.data_processing.delimited import MOST_REJECTS
from tasks.handlers.data_processing.loading import Rows
from tasks.handlers.data_processing.profile import ColumnProfile
from tasks.handlers.data_processing.source import Source
from tasks.handlers.data_processing.unreadable import Unreadable

OFTEN_EMPTY = 0.2
MOST_OF_A_KIND = 25

NOT_OF_KIND = {
    "integer": gettext_lazy("whole numbers"),
    "number": gettext_lazy("numbers"),
    "boolean": gettext_lazy("yes or no"),
    "date": gettext_lazy("dates"),
    "datetime": gettext_lazy("dates with a time"),
    "time": gettext_lazy("times of day"),
    "duration": gettext_lazy("durations"),
}


def warnings_of(
    source: Source, rows: Rows, profiles: Sequence[ColumnProfile], repeated: int, lines: Mapping[int, int]
) -> list[str]:
    """Sentences, the gravest first; of each sort the first ones, and how many more there are."""
    sorts = [
        _set_aside(source),
        _unreadable(rows, lines),
        iter(source.warnings),
        _repeated(repeated),
        _empty(rows, profiles),
    ]
    return [warning for sort in sorts for warning in _few(list(sort))]


def _few(warnings: list[str]) -> list[str]:
    if len(warnings) <= MOST_OF_A_KIND:
        return warnings
    more = len(warnings) - MOST_OF_A_KIND
    return [*warnings[:MOST_OF_A_KIND], _("And %(count)s more of this sort.") % {"count": f"{more:,}"}]


def _set_aside(source: Source) -> Iterator[str]:
    count = len(source.set_aside)
    if not count:
        return
    first = source.set_aside[0]
    message = ngettext(
        "%(count)s line does not fit the table and was set aside: line %(line)s, %(reason)s.",
        "%(count)s lines do not fit the table and were set aside, the first at line %(line)s: %(reason)s.",
        count,
    )
    told = f"{count:,}" if count < MOST_REJECTS else _("At least %(count)s") % {"count": f"{count:,}"}
    yield message % {"count": told, "line": f"{first.line:,}", "reason": first.reason}


def _unreadable(rows: Rows, lines: Mapping[int, int]) -> Iterator[str]:
    for position, unreadable in sorted(rows.unreadable.items()):
        column = rows.columns[position]
        message = ngettext(
            "Column %(column)s holds %(count)s value that is not of its kind, %(kind)s: “%(text)s” %(place)s.",
            "Column %(column)s holds %(count)s values that are not %(kind)s, the first “%(text)s” %(place)s.",
            unreadable.count,
        )
        yield message % {
            "column": column.name,
            "count": f"{unreadable.count:,}",
            "kind": NOT_OF_KIND[column.kind],
            "text": " ".join(unreadable.text.split()),
            "place": place_of(unreadable, lines),
        }


def place_of(unreadable: Unreadable, lines: Mapping[int, int]) -> str:
    line = lines.get(unreadable.row)
    if line is None:
        return _("in row %(row)s") % {"row": f"{unreadable.row + 1:,}"}
    return _("at line %(line)s") % {"line": f"{line:,}"}


def _repeated(count: int) -> Iterator[str]:
    if count:
        message = ngettext(
            "%(count)s row repeats an earlier one; cleaned copies keep one of each.",
            "%(count)s rows repeat an earlier one; cleaned copies keep one of each.",
            count,
        )
        yield message % {"count": f"{count:,}"}


def _empty(rows: Rows, profiles: Sequence[ColumnProfile]) -> Iterator[str]:
    for profile in profiles:
        if not profile.values:
            yield _("Column %(column)s is empty.") % {"column": profile.column.name}
        elif profile.nulls > OFTEN_EMPTY * rows.count:
            message = _("Column %(column)s is empty in %(share).1f %% of the rows.")
            yield message % {"column": profile.column.name, "share": 100 * profile.nulls / rows.count}
