"""Values as numbers to reckon with, numbers as values to show, and the bins of a histogram."""

from __future__ import annotations

import datetime as dt
import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - rows have no zone
BINS = 24
OUTLIER_RANGES = 3  # further from the middle half than so many times its width
LONGEST_VALUE = 100
MOST_WHOLE = 2**62
NUMERIC = frozenset({"integer", "number"})

# How a value of each kind becomes a number; text has none.
AXES = {
    "integer": "{x}",
    "number": "{x}",
    "boolean": "CAST({x} AS INTEGER)",
    "date": "epoch({x})",
    "datetime": "epoch({x})",
    "time": "epoch({x})",
    "duration": "{x}",
}


def axis_of(kind: str, key: str, type_name: str) -> str:
    """The column's values as numbers, in SQL. Decimals would overflow when they are added up."""
    axis = AXES[kind].replace("{x}", key)
    return f"CAST({axis} AS DOUBLE)" if type_name.startswith("DECIMAL") else axis


def value_of(kind: str, number: float | None) -> Any:
    """A number of an axis as JSON shows a value of this kind; None for what is no number."""
    if number is None or not math.isfinite(number):
        return None
    try:
        if kind in {"date", "datetime"}:
            moment = EPOCH + dt.timedelta(seconds=round(number))
            return moment.date().isoformat() if kind == "date" else moment.isoformat(" ")
        if kind == "time":
            return (EPOCH + dt.timedelta(seconds=round(number))).time().isoformat()
    except (ValueError, OverflowError):  # a year that Python does not know
        return None
    return int(number) if kind == "integer" and float(number).is_integer() else number


def number_of(value: Any) -> float | None:
    """Where a value lies on its axis, as `plain` gives it; None where that cannot be told."""
    if isinstance(value, int | float):
        return float(value)
    for parse in (dt.datetime.fromisoformat, _seconds_of_time):
        try:
            moment = parse(str(value))
        except ValueError:
            continue
        return moment if isinstance(moment, float) else (moment - EPOCH).total_seconds()
    return None


def _seconds_of_time(text: str) -> float:
    time = dt.time.fromisoformat(text)
    return dt.timedelta(hours=time.hour, minutes=time.minute, seconds=time.second).total_seconds()


def plain(value: Any) -> Any:
    """A value out of DuckDB as strict JSON holds it."""
    if isinstance(value, bool | int) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dt.datetime):
        return value.isoformat(" ")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return str(value).replace("\0", "")[:LONGEST_VALUE]


@dataclass(frozen=True)
class Scale:
    """The bins of a histogram from `low` on, each `step` wide; `least` and `most` are the values that occur.

    What lies outside the bins counts as far outside: it goes into the first or the last bin, whose bounds say so.
    """

    low: float
    step: float
    bins: int
    least: float
    most: float

    def histogram(self, axis: str, fenced: Sequence[float] = ()) -> str:
        """How many values there are up to each edge and with it, from the edge before on, as a map in SQL.

        Edges are those of the bins and, of an axis with outliers, the two fences.
        """
        edges = sorted({*self._ends, *self._fence_ends(fenced)})
        if axis.startswith("CAST"):
            edges = [float(edge) for edge in edges]
        return f"histogram({axis}, {edges})"

    @property
    def _ends(self) -> list[float]:
        """The last value below each bin, and the last of the last one: a value on an edge is in the bin that begins."""
        return [_last_below(self.low + number * self.step) for number in range(self.bins + 1)]

    def _fence_ends(self, fenced: Sequence[float]) -> list[float]:
        if not fenced or max(map(abs, fenced)) > MOST_WHOLE:
            return []
        low, high = fenced
        if isinstance(self.low, int):
            return [math.ceil(low) - 1, math.floor(high)]
        return [_last_below(low), high]

    def counts(self, found: Mapping[Any, int]) -> list[int]:
        """How many values are in each bin, those outside in the nearest."""
        ends, counts = self._ends, [0] * self.bins
        for end, count in found.items():
            counts[min(max(bisect_left(ends, end) - 1, 0), self.bins - 1)] += count
        return counts

    def outside(self, found: Mapping[Any, int], fenced: Sequence[float] = ()) -> int:
        """How many values lie outside the fences, or else the bins. The very end of the last one belongs to it."""
        if fence_ends := self._fence_ends(fenced):
            return sum(count for end, count in found.items() if end <= fence_ends[0] or end > fence_ends[1])
        ends, inside = self._ends, self.most <= self.low + self.bins * self.step
        return sum(count for end, count in found.items() if end <= ends[0] or (end > ends[-1] and not inside))

    def bounds(self, number: int) -> tuple[float, float]:
        start = self.least if number == 0 else self.low + number * self.step
        end = self.most if number == self.bins - 1 else self.low + (number + 1) * self.step
        return min(start, end), max(start, end)


def scale_of(kind: str, least: float, most: float, q25: float, q75: float) -> Scale | None:
    """Bins for the values that occur; a few that lie far outside do not flatten all others. None: no width."""
    low, high = fences(q25, q75)
    low, high = (max(least, low), min(most, high)) if q75 > q25 else (least, most)
    if not math.isfinite(high - low) or high <= low:
        return None
    if kind == "integer" or kind == "date":
        unit = 1 if kind == "integer" else 86_400
        low = math.floor(low / unit) * unit
        step = max(unit, math.ceil((high - low + unit) / unit / BINS) * unit)
        return Scale(low, step, max(1, min(BINS, math.ceil((high - low + unit) / step))), least, most)
    return Scale(low, (high - low) / BINS, BINS, least, most)


def _last_below(edge: float) -> float:
    return edge - 1 if isinstance(edge, int) else math.nextafter(edge, -math.inf)


def fences(q25: float, q75: float) -> tuple[float, float]:
    """Values outside these are outliers."""
    reach = OUTLIER_RANGES * (q75 - q25)
    return q25 - reach, q75 + reach
