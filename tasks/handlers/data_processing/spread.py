"""How the values of columns with an axis are spread: bounds, mean, quartiles, histogram, outliers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tasks.handlers.data_processing.axes import NUMERIC, number_of, plain, scale_of, value_of
from tasks.handlers.data_processing.profile import ColumnProfile, Table

MEASURED = NUMERIC | {"duration"}  # these have a deviation, a sum and outliers


def measure(profiles: Sequence[ColumnProfile], table: Table) -> None:
    profiles = [profile for profile in profiles if profile.axis and profile.values]
    _bounds(profiles, table)
    ordered = [profile for profile in profiles if profile.kind != "boolean"]
    _quartiles(ordered, table)
    _histograms([profile for profile in ordered if profile.quartiles], table)


def _bounds(profiles: Sequence[ColumnProfile], table: Table) -> None:
    found = iter(table.select(profiles, [asked for profile in profiles for asked in bounds_asked(profile)]))
    for profile in profiles:
        take_bounds(profile, found)


def bounds_asked(profile: ColumnProfile) -> list[str]:
    key, axis = profile.key, profile.axis
    asked = [f"min({key})", f"max({key})", f"avg({axis})"]
    return [*asked, f"stddev_samp({axis})", f"sum({axis})"] if profile.column.kind in MEASURED else asked


def take_bounds(profile: ColumnProfile, found: Iterator[Any]) -> None:
    facts, kind = profile.facts, profile.column.kind
    facts["min"], facts["max"], mean = plain(next(found)), plain(next(found)), next(found)
    facts["mean"] = value_of("number" if kind in {"integer", "boolean"} else kind, mean)
    if kind in MEASURED:
        facts["std"], facts["sum"] = plain(next(found)), plain(next(found))


def _quartiles(profiles: Sequence[ColumnProfile], table: Table) -> None:
    found = table.select_some(profiles, [f"quantile_cont({profile.axis}, [0.25, 0.5, 0.75])" for profile in profiles])
    for profile, quartiles in zip(profiles, found, strict=True):
        if quartiles is not None:  # else its values are too rare to be in every n-th row
            profile.quartiles = [float(one) for one in quartiles]
            for name, number in zip(("q25", "q50", "q75"), profile.quartiles, strict=True):
                profile.facts[name] = value_of(profile.kind, number)


def _histograms(profiles: Sequence[ColumnProfile], table: Table) -> None:
    for profile in profiles:
        least, most = (number_of(profile.facts[bound]) for bound in ("min", "max"))
        if least is not None and most is not None and profile.quartiles:
            profile.scale = scale_of(profile.kind, least, most, profile.quartiles[0], profile.quartiles[2])
    drawn = [profile for profile in profiles if profile.scale]
    found = table.select(drawn, [p.scale.histogram(str(p.axis)) for p in drawn if p.scale])
    for profile, counts in zip(drawn, found, strict=True):
        take_histogram(profile, counts)
        if profile.kind in MEASURED and profile.scale:
            profile.facts["outliers"] = profile.scale.outside(counts)


def take_histogram(profile: ColumnProfile, found: Mapping[Any, int]) -> None:
    scale, kind = profile.scale, profile.kind
    assert scale
    bounds = [scale.bounds(number) for number in range(scale.bins)]
    profile.facts["histogram"] = [
        {"from": value_of(kind, start), "to": value_of(kind, end), "count": count}
        for (start, end), count in zip(bounds, scale.counts(found), strict=True)
    ]
