from __future__ import annotations

import pytest

from tasks.templatetags.data_results import HEIGHT, SHARE, bars, figure, percent, shares


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (None, "number", ""),
        (True, "boolean", "yes"),
        (1234567, "integer", "1,234,567"),
        (1234.5, "number", "1,234.50"),
        (0.00123, "number", "0.00123"),
        (0.0, "number", "0.00"),
        (1e20, "number", "1e+20"),
        (97_200, "duration", "1 d 3 h"),
        (-60.0, "duration", "-1 min"),
        ("2024-01-31 10:20:30", "datetime", "2024-01-31 10:20"),
        ("2024-01-31", "date", "2024-01-31"),
    ],
)
def test_a_value_is_shown_as_people_read_its_kind(value, kind, shown):
    assert figure(value, kind) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [(0, 10, "0"), (1, 3, "33.3 %"), (1, 10**9, "0.1 %"), (10**9 - 1, 10**9, "99.9 %"), (7, 7, "100 %"), (0, 0, "0")],
)
def test_a_share_is_nothing_or_everything_only_where_it_is(part, whole, shown):
    assert percent(part, whole) == shown


def test_the_fullest_bin_reaches_the_top_and_an_empty_one_has_no_bar():
    bins = [{"from": n, "to": n + 1, "count": count} for n, count in enumerate([10**12, 0, 1])]
    first, last = bars({"type": "integer", "histogram": bins})
    assert (first.y, first.height) == (2, HEIGHT - 2)
    assert (last.height, last.title) == (1, "2 to 3: 1 rows")


def test_a_column_without_values_has_no_bars():
    assert bars({"type": "integer", "histogram": None}) == []
    assert shares({"top": None}) == []


def test_values_that_are_not_listed_are_summed_up():
    top = [{"value": f"v{n}", "count": 100 - n} for n in range(8)]
    *listed, rest = shares({"top": top, "values": 1000, "distinct": 50})
    assert [share.value for share in listed] == ["v0", "v1", "v2", "v3"]
    assert (rest.value, rest.count, rest.length) == ("46 more", 1000 - 394, SHARE)
