"""What comes of a task: TaskHub promises that what a handler gives is storable before it is written."""

from __future__ import annotations

import json
import math

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from tasks.engine.outcome import RESULT_CAP, Claimed, Move, back_off, clean, clean_text, storable, to_json
from tasks.engine.store.base import CLAIMED_COLUMNS
from tasks.lifecycle import TRANSITIONS

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=())), inner),
    max_leaves=20,
)


@given(json_values)
def test_whatever_json_a_handler_gives_becomes_storable(value):
    text = to_json(value)
    assert "\\u0000" not in text
    assert storable(value) == json.loads(text)
    text.encode("utf-8")
    json.dumps(clean(value), allow_nan=False, ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (math.nan, None),
        ([math.inf, -math.inf, 0.5], [None, None, 0.5]),
        ("a\0b", "a\ufffdb"),
        ("\ud800", "?"),
        ({1: (2, 3)}, {"1": [2, 3]}),
    ],
)
def test_what_no_database_takes_is_replaced(given, kept):
    assert clean(given) == kept


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", timezone.now(), "x" * RESULT_CAP])
def test_what_is_no_json_or_too_much_is_refused(value):
    with pytest.raises((TypeError, ValueError)):
        to_json(value)


def test_text_keeps_what_every_database_takes():
    assert clean_text("grüße\n\t😀") == "grüße\n\t😀"


def test_pauses_double_from_the_base_and_stay_below_a_good_day():
    def pause(attempts):
        return (back_off(10, attempts) - timezone.now()).total_seconds()

    for attempts, seconds in ((1, 10), (2, 20), (4, 80), (99, 86_400)):
        assert 0.79 * seconds < pause(attempts) < 1.21 * seconds


def test_a_claimed_row_has_the_fields_that_a_claim_returns():
    columns = [name.strip() for name in CLAIMED_COLUMNS.split(",")]
    assert list(Claimed.__slots__)[: len(columns)] == columns


def test_each_end_of_a_claim_is_a_move_of_the_table():
    assert {move.value for move in Move} <= set(TRANSITIONS)
