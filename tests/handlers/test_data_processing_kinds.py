from __future__ import annotations

import pytest

from tests.handlers.tables import column, kinds, profile, profiled, rows_of


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-2", "+3", "0"], "integer"),
        (["1", "2.5", "-3e4", ".5"], "number"),
        (["yes", "no", "Yes"], "boolean"),
        (["true", "FALSE"], "boolean"),
        (["0", "1"], "integer"),
        (["2024-01-31", "2024-02-29"], "date"),
        (["31.12.2024", "1.2.2024"], "date"),
        (["12/31/2024", "01/02/2024"], "date"),
        (["1 Feb 2024", "12 Dec 2024"], "date"),
        (["2024-01-31 10:20:30", "2024-02-29"], "datetime"),
        (["31.12.2024 10:20", "1.2.2024 01:02"], "datetime"),
        (["2024-01-31T10:00:00+02:00", "2024-01-31T10:00:00Z"], "datetime"),
        (["10:20", "23:59:59"], "time"),
        (["10:20:00", "27:00:00"], "duration"),
        (["2h 30m", "3 hours", "90 min"], "duration"),
        (["Graz", "Wien"], "text"),
        (["01234", "98765"], "text"),
        (["12 apples", "3 pears"], "text"),
        (["-", "NA"], "empty"),
    ],
)
def test_the_kind_of_a_column_is_found_out(values, kind):
    content = "x;y\n" + "".join(f"{value};z\n" for value in values)
    assert kinds(profiled(content))["x"] == kind


@pytest.mark.parametrize("missing", ["", "NA", "N/A", "null", "NULL", "NaN", "-", " NA ", "n/a"])
def test_the_usual_spellings_of_a_missing_value_count_as_nulls(missing):
    result = profiled(f"n,t,more\n1,a,x\n{missing},{missing},x\n3,c,x\n")
    assert (column(result, "n")["type"], column(result, "n")["nulls"]) == ("integer", 1)
    assert (column(result, "t")["type"], column(result, "t")["nulls"]) == ("text", 1)


def test_values_that_are_not_of_their_columns_kind_are_counted_with_the_line_of_the_first():
    lines = [f"{number},{number}.5\n" for number in range(1500)]
    lines[1202] = "1202,free\n"
    lines[1400] = "1400,unknown\n"
    result = profiled("id,amount\n" + "".join(lines))
    assert column(result, "amount")["unreadable"] == 2
    warning = "Column amount holds 2 values that are not numbers, the first “free” at line 1,204."
    assert warning in result["warnings"]


def test_the_line_is_right_where_values_go_over_several_lines():
    result = profiled('n,text\n1,"one\ntwo\nthree"\n2,x\noops,y\n' + "3,z\n" * 50)
    assert "Column n holds 1 value that is not of its kind, whole numbers: “oops” at line 6." in result["warnings"]


def test_a_row_is_named_where_empty_lines_hide_its_line():
    result = profiled("n,m\n1,2\n\n\noops,4\n" + "5,6\n" * 50)
    assert "Column n holds 1 value that is not of its kind, whole numbers: “oops” in row 2." in result["warnings"]


def test_decimals_late_in_a_big_file_make_a_column_of_whole_numbers_one_of_numbers():
    early = "".join(f"{number},x\n" for number in range(150_000))
    result = profiled(f"n,t\n{early}0.5,x\n{early}", clean_copy=False)
    assert column(result, "n")["type"] == "number"
    assert result["total_sum"] == 2 * sum(range(150_000)) + 0.5


def test_a_time_of_day_late_in_a_big_file_makes_dates_ones_with_a_time():
    early = "2024-01-01,x\n" * 150_000
    result = profiled(f"d,t\n{early}2024-01-02 03:04:05,x\n{early}", clean_copy=False)
    assert column(result, "d")["max"] == "2024-01-02 03:04:05"


def test_words_in_most_of_a_big_file_make_a_column_text():
    content = "n,t\n" + "".join(f"{number},x\n" for number in range(100_000))
    late = "".join(f"word {number % 1000},x\n" for number in range(100_000))
    result = profiled(content + late, clean_copy=False)
    assert column(result, "n")["type"] == "text"
    assert column(result, "n")["values"] == 200_000


def test_decimal_commas_and_separated_thousands_are_read_as_numbers():
    run = profile("a;b;c\n1,5;1.234,50;1\n2,25;3.456.789,01;2\n2.5;12;3\n")
    assert kinds(run.result) == {"a": "number", "b": "number", "c": "integer"}
    assert [row[:2] for row in rows_of(run)[1:]] == [["1.5", "1234.5"], ["2.25", "3456789.01"], ["2.5", "12.0"]]
    assert column(profiled("a\tb\n1,234\tx\n2,345.5\ty\n"), "a")["sum"] == 3579.5


def test_whole_numbers_beyond_64_bits_keep_every_digit():
    run = profile("n,x\n99999999999999999999999,1\n-5,2\n")
    assert column(run.result, "n")["max"] == 99_999_999_999_999_999_999_999
    assert rows_of(run)[1][0] == "99999999999999999999999"


def test_infinities_and_numbers_beyond_all_bounds_are_not_numbers():
    result = profiled("n,x\ninf,1\n1.5,2\n-Infinity,3\n1e400,4\n2.5,5\n")
    assert (column(result, "n")["type"], column(result, "n")["unreadable"], result["total_sum"]) == ("number", 3, 4.0)


def test_sums_beyond_all_bounds_are_null():
    assert column(profiled("n,x\n1e308,1\n1e308,2\n"), "n")["sum"] is None


def test_dates_that_may_be_meant_either_way_are_read_day_first_with_a_warning():
    result = profiled("d,x\n01/02/2024,1\n03/04/2024,2\n")
    assert column(result, "d")["min"] == "2024-02-01"
    assert "d was read as day/month/year; it could also be month/day/year." in result["warnings"]


def test_durations_are_told_in_seconds():
    duration = column(profiled("d,x\n27:00:00,1\n0:30:00,2\n"), "d")
    assert (duration["min"], duration["max"], duration["mean"]) == (1800.0, 97_200.0, 49_500.0)


def test_times_with_a_zone_are_told_in_utc():
    assert column(profiled("t,x\n2024-01-31T10:00:00+02:00,1\n"), "t")["min"] == "2024-01-31 08:00:00"
