"""CSV that a spreadsheet shows and never runs."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from tasks.exports import csv_lines


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_no_cell_starts_a_formula_also_in_the_header(start):
    header, row = csv_lines([f"{start}1"], [[f"{start}cmd|calc"]])
    assert header.startswith("\"'")
    assert row.startswith("\"'")


def test_a_nul_that_hides_a_formula_is_dropped():
    assert list(csv_lines(["a"], [["\0=1"]]))[1] == '"\'=1"\r\n'


def test_numbers_stay_numbers_and_all_else_is_quoted():
    assert list(csv_lines(["a", "b", "c", "d"], [[-1, 2.5, "text", None]]))[1] == '-1,2.5,"text",""\r\n'


def test_a_structure_becomes_its_json():
    assert list(csv_lines(["a"], [[{"size": 7}]]))[1] == '"{""size"": 7}"\r\n'


def test_times_and_ids_are_plain_text():
    at, key = datetime(2026, 11, 24, 10, 30, tzinfo=UTC), UUID(int=7)
    assert list(csv_lines(["a", "b"], [[at, key]]))[1] == f'"2026-11-24T10:30:00+00:00","{key}"\r\n'
