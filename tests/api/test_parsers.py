"""JSON as the API takes it: what could not be stored or sent back does not get in."""

from __future__ import annotations

import io

import pytest
from rest_framework.exceptions import ParseError

from tasks.api.parsers import JSONParser, TooLarge, loads


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "NaN",
        "[Infinity]",
        "1e999",
        str(2**63),
        "9" * 5000,
        '"\\u0000"',
        '{"\\u0000": 1}',
        '"\\ud800"',
        '"\\\\\\u0000"',
        "[" * 100_000,
    ],
)
def test_what_could_not_be_stored_is_refused_as_a_whole(text):
    with pytest.raises(ParseError):
        loads(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, -2.5, null, true]}', {"a": [1, -2.5, None, True]}),
        ('"\\ud83d\\ude00"', "😀"),
        ('"\\\\u0000"', "\\u0000"),
        (str(2**63 - 1), 2**63 - 1),
    ],
)
def test_ordinary_json_is_taken_as_it_is(text, value):
    assert loads(text) == value


def test_a_byte_order_mark_is_no_fault():
    assert JSONParser().parse(io.BytesIO(b'\xef\xbb\xbf{"a": 1}')) == {"a": 1}


def test_a_body_that_is_too_large_is_not_read_to_its_end():
    body = io.BytesIO(b" " * (JSONParser.max_bytes + 1000))
    with pytest.raises(TooLarge):
        JSONParser().parse(body)
    assert body.tell() == JSONParser.max_bytes + 1
