from __future__ import annotations

import random

import pytest

from tasks.handlers.data_processing import one_pass, questions
from tasks.handlers.data_processing.database import OutOfMemory
from tests.handlers.tables import column, profile, profiled


@pytest.fixture(autouse=True)
def every_file_is_big(monkeypatch):
    monkeypatch.setattr(one_pass, "BIG_FILE", 0)


@pytest.fixture
def in_two_passes(monkeypatch):
    """The same profile as small files get it."""

    def profiled_so(content: str):
        with monkeypatch.context() as patch:
            patch.setattr(one_pass, "BIG_FILE", 10**12)
            return profiled(content, clean_copy=False)

    return profiled_so


def orders(rows: int) -> str:
    some = random.Random(1)
    lines = [
        f"{1000 + number},{some.choice(['DE', 'AT', 'CH'])},item {some.randrange(900)},{some.gauss(50, 20):.2f},"
        f"{some.choice(['yes', 'no'])},202{some.randrange(5)}-0{some.randrange(1, 10)}-11,"
        f"2024-03-0{some.randrange(1, 9)} 10:{some.randrange(10, 60)}:00,{some.choice(['', 'NA', '7', '8'])},"
        f"{some.randrange(1, 9)}:{some.randrange(10, 60)}\n"
        for number in range(rows)
    ]
    return "id,country,item,price,express,day,moment,rating,clock\n" + "".join(lines)


def comparable(facts: dict) -> dict:
    """Without what is an estimate or one of several equals; sums of floats depend on their order."""
    facts = {name: float(f"{fact:.9g}") if isinstance(fact, float) else fact for name, fact in facts.items()}
    if facts["distinct"] > 8:
        del facts["top"]
    if not facts.pop("distinct_is_exact") or facts["distinct"] > questions.MOST_DISTINCT:
        del facts["distinct"]
    del facts["top_is_exact"]
    return facts


def test_a_file_that_the_sample_holds_whole_is_told_as_in_two_passes(in_two_passes):
    content = orders(3000)
    once, twice = profiled(content, clean_copy=False), in_two_passes(content)
    assert (once["sampled_rows"], twice["sampled_rows"]) == (3000, None)
    for one, two in zip(once["columns"], twice["columns"], strict=True):
        assert comparable(one) == comparable(two)
    assert once["correlations"] == twice["correlations"]
    assert once["first_rows"] == twice["first_rows"]


def sparse(rows: int, at: int, line: str, usual: str = "1,a,5\n") -> str:
    """A big enough file that the sample, of slices, does not hold the line."""
    return "n,t,x\n" + usual * at + line + usual * (rows - at)


@pytest.fixture
def sampled_thinly(monkeypatch):
    monkeypatch.setattr(one_pass, "SLICES", 2)


def test_values_that_the_sample_does_not_hold_are_counted_too(sampled_thinly):
    result = profiled(sparse(400_000, 150_000, "77,zebra,-2\n"), clean_copy=False)
    assert result["sampled_rows"] < result["rows_processed"] == 400_001
    n, t = column(result, "n"), column(result, "t")
    assert (n["max"], n["values"], n["distinct_is_exact"]) == (77, 400_001, False)
    assert (t["max"], t["longest"], t["distinct"]) == ("zebra", 5, 2)
    assert (t["top"], t["top_is_exact"]) == ([{"value": "a", "count": 400_000}], False)
    assert column(result, "x")["min"] == -2


def test_a_spelling_of_a_missing_value_that_the_sample_does_not_hold_is_one_all_the_same(sampled_thinly):
    result = profiled(sparse(400_000, 150_000, "N/A,null,-\n"), clean_copy=False)
    assert [(one["nulls"], one["unreadable"], one["distinct"]) for one in result["columns"]] == [(1, 0, 1)] * 3


def test_a_spelling_of_a_missing_value_amid_many_texts_is_one_too(sampled_thinly):
    lines = [f"{number},text {number},5\n" for number in range(200_000)]
    lines[80_000] = "80000,null,5\n"
    result = profiled("n,t,x\n" + "".join(lines), clean_copy=False)
    assert (column(result, "t")["nulls"], column(result, "t")["values"]) == (1, 199_999)
    assert column(result, "t")["shortest"] == 6


def test_rows_are_repeated_although_the_sample_holds_a_key(sampled_thinly):
    lines = [f"{number},a,5\n" for number in range(300_000)]
    result = profiled("n,t,x\n" + "".join([*lines, *lines[100_000:100_007]]), clean_copy=False)
    assert result["repeated_rows"] == 7


def test_values_not_of_their_columns_kind_are_told_with_their_line(sampled_thinly):
    result = profiled(sparse(400_000, 150_000, "oops,a,5\n"), clean_copy=False)
    assert column(result, "n")["unreadable"] == 1
    warning = "Column n holds 1 value that is not of its kind, whole numbers: “oops” at line 150,002."
    assert warning in result["warnings"]


def test_a_column_of_whole_numbers_becomes_one_of_numbers(sampled_thinly):
    result = profiled(sparse(400_000, 150_000, "0.5,a,5\n"), clean_copy=False)
    assert column(result, "n")["type"] == "number"
    assert result["total_sum"] == 400_000.5


def test_lines_that_do_not_fit_are_set_aside(sampled_thinly):
    result = profiled(sparse(400_000, 150_000, "1,a\n"), clean_copy=False)
    assert (result["lines_set_aside"], result["rows_processed"]) == (1, 400_000)


def test_values_far_outside_are_in_the_first_and_the_last_bin(sampled_thinly):
    lines = [f"{number % 100},a,5\n" for number in range(400_000)]
    lines[150_000:150_002] = ["-1000000,a,5\n", "1000000,a,5\n"]
    n = column(profiled("n,t,x\n" + "".join(lines), clean_copy=False), "n")
    assert (n["histogram"][0]["from"], n["histogram"][-1]["to"], n["outliers"]) == (-1_000_000, 1_000_000, 2)
    assert sum(one["count"] for one in n["histogram"]) == 400_000


@pytest.mark.slow
def test_where_one_reading_takes_too_much_memory_the_rows_are_written_out(settings, monkeypatch):
    refused = []

    def reading(*arguments):
        try:
            return one_pass.read_once(*arguments)
        except OutOfMemory:
            refused.append(True)
            raise

    monkeypatch.setattr("tasks.handlers.data_processing.reading.read_once", reading)
    settings.DUCKDB_MEMORY_MB = 100
    result = profiled("a,b\n" + "".join(f"{n:032x},{n + 1:032x}\n" for n in range(1_000_000)), clean_copy=False)
    assert (refused, result["sampled_rows"]) == ([True], None)
    assert (result["rows_processed"], result["repeated_rows"]) == (1_000_000, 0)


def test_with_the_cleaned_rows_to_save_a_big_file_is_written_out():
    assert "table.clean.csv" in profile(orders(50)).files
