"""Template tags for the result page of DATA_PROCESSING: figures in words, drawings in whole numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import template
from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tasks.web import words

register = template.Library()

CARDS = 24
WIDTH, HEIGHT = 240, 60  # of a histogram, in the units of its viewBox
SHARE = 100  # of the longest bar of a list
LIST = 5  # values in a list, the rest of them counted as one

KINDS = {
    "integer": gettext_lazy("integer"),
    "number": gettext_lazy("number"),
    "boolean": gettext_lazy("yes or no"),
    "date": gettext_lazy("date"),
    "datetime": gettext_lazy("date and time"),
    "time": gettext_lazy("time of day"),
    "duration": gettext_lazy("duration"),
    "text": gettext_lazy("text"),
    "empty": gettext_lazy("empty"),
}
DISTRIBUTED = {"integer", "number", "date", "datetime", "time", "duration"}


@dataclass(frozen=True)
class Bar:
    """A rectangle, and what it stands for."""

    x: int
    y: int
    width: int
    height: int
    title: str


@dataclass(frozen=True)
class Share:
    """One of the commonest values: how long its bar is, of SHARE."""

    value: str
    length: int
    count: int


@register.filter
def kind(column: Mapping[str, Any]) -> str:
    """The kind of a column for people."""
    return str(KINDS.get(column["type"], column["type"]))


@register.filter
def carded(columns: Sequence[Any]) -> Sequence[Any]:
    """The columns that get a card of their own."""
    return columns[:CARDS]


@register.filter
def figure(value: Any, kind: str = "number") -> str:
    """A value of this kind of column for people; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if kind == "duration" and isinstance(value, int | float):
        return words.duration(value) if value >= 0 else f"-{words.duration(-value)}"
    if isinstance(value, float):
        return _decimal(value)
    if kind == "datetime":
        return str(value)[:16]  # to the minute
    return words.thousands(value) if isinstance(value, int) else str(value)


@register.filter
def bound(value: Any, kind: str) -> str:
    """An end of a histogram's range, where there is little room."""
    return str(value)[:10] if kind == "datetime" and value else figure(value, kind)


@register.filter
def cell(value: Any) -> str:
    """A value of a row as it is in the cleaned file: nothing grouped, nothing rounded."""
    if value is None:
        return ""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _decimal(value: float) -> str:
    """Two decimals; of small numbers as many as tell three digits, of huge and tiny ones their magnitude."""
    size = abs(value)
    if size and not 1e-6 <= size < 1e15:
        return f"{value:.3g}"
    decimals = 2 if size >= 1 or not size else 2 - math.floor(math.log10(size))
    while decimals > 2 and round(value, decimals - 1) == round(value, decimals):
        decimals -= 1  # 0.02, not 0.0200
    return str(formats.number_format(round(value, decimals), decimals, use_l10n=True, force_grouping=True))


@register.filter
def percent(part: float, whole: float) -> str:
    """A share in words: "0" and "100 %" only where it is that exactly."""
    if not part or not whole:
        return "0"
    share = 100 * part / whole
    shown = min(max(share, 0.1), 99.9) if part < whole else 100
    return f"{formats.number_format(shown, 0 if shown == 100 else 1)} %"


@register.filter
def bars(column: Mapping[str, Any]) -> list[Bar]:
    """The histogram of a column as rectangles; none where it has none."""
    bins = column.get("histogram") or []
    highest = max((one["count"] for one in bins), default=0)
    if not highest or column["type"] not in DISTRIBUTED:
        return []
    step = WIDTH // len(bins)
    return [_bar(number, step, one, highest, column["type"]) for number, one in enumerate(bins) if one["count"]]


def _bar(number: int, step: int, one: Mapping[str, Any], highest: int, kind: str) -> Bar:
    height = max(1, round((HEIGHT - 2) * one["count"] / highest))
    start, end = figure(one["from"], kind), figure(one["to"], kind)
    title = _("%(start)s to %(end)s: %(count)s rows") % {
        "start": start,
        "end": end,
        "count": words.thousands(one["count"]),
    }
    return Bar(number * step, HEIGHT - height, step - 1, height, title)


@register.filter
def told(column: Mapping[str, Any]) -> str:
    """A histogram in a sentence, for those who do not see it."""
    fullest = max(column["histogram"], key=lambda one: one["count"])
    kind = column["type"]
    return _("%(name)s from %(least)s to %(most)s; the most, %(count)s rows, from %(start)s to %(end)s") % {
        "name": column["name"],
        "least": figure(column["min"], kind),
        "most": figure(column["max"], kind),
        "count": words.thousands(fullest["count"]),
        "start": figure(fullest["from"], kind),
        "end": figure(fullest["to"], kind),
    }


@register.filter
def shares(column: Mapping[str, Any]) -> list[Share]:
    """The commonest values of a column with the length of their bars; the rest of the rows as the last one."""
    top = column.get("top") or []
    if not top:
        return []
    shown = top[:LIST] if column["distinct"] <= LIST else top[: LIST - 1]
    rest = column["values"] - sum(one["count"] for one in shown)
    longest = max(shown[0]["count"], rest)
    found = [Share(figure(one["value"]), _length(one["count"], longest), one["count"]) for one in shown]
    if rest:
        more = _("%(count)s more") % {"count": words.thousands(column["distinct"] - len(found))}
        found.append(Share(more, _length(rest, longest), rest))
    return found


def _length(count: int, longest: int) -> int:
    return max(1, min(SHARE, round(SHARE * count / longest)))
