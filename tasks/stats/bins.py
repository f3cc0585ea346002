"""Times by bins: counts that can be added up, and give percentiles within a few per cent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import exp, log

# Each bin is 15 % wider than the one before, from a millisecond up: a percentile is off by 7 % at most.
BASE = log(1.15)
SHORTEST = 0.001

Bins = Mapping[str, int]


def middle(number: int) -> float:
    """The time a bin stands for, in seconds. Bin 1 begins at a millisecond, and holds what was shorter too."""
    return SHORTEST * exp((number - 0.5) * BASE)


def merged(many: Iterable[Bins]) -> dict[str, int]:
    total: dict[str, int] = {}
    for bins in many:
        add_bins(total, bins)
    return total


def add_bins(total: dict[str, int], bins: Bins) -> None:
    known = total.get
    for number, count in bins.items():
        total[number] = known(number, 0) + count


def percentile(bins: Bins, share: float) -> float | None:
    """The time that `share` of all (0.95) stay under, in seconds; None where there is none."""
    left = sum(bins.values()) * share
    if not left:
        return None
    for number, count in sorted((int(number), count) for number, count in bins.items()):
        left -= count
        if left <= 0:
            return middle(number)
    return None
