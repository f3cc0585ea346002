from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

import pytest
from rest_framework.exceptions import ValidationError

from tasks import registry
from tasks.context import TaskInterrupted
from tasks.parameters import StoredFile
from tasks.testing import MemoryRecorder, run_handler
from tests.handlers.tables import column, profile, profiled, rows_of, saved

CONTRACT = {"rows_processed", "total_sum", "average", "max_value", "min_value", "processing_time"}
ORDERS = "id,total,country,ordered_on\n1,10.5,DE,2024-01-31\n2,NA,AT,2024-02-29\n3,4.5,DE,\n4,-5,DE,2024-03-01\n"


def test_without_a_file_it_works_on_as_many_rows_of_sample_data_as_asked():
    result = run_handler("DATA_PROCESSING", {"num_rows": 50}).result
    assert set(result) >= CONTRACT
    assert result["rows_processed"] == 50
    assert result["min_value"] <= result["average"] <= result["max_value"]


def test_sample_data_takes_as_long_as_asked():
    begun = time.monotonic()
    result = run_handler("DATA_PROCESSING", {"num_rows": 10, "processing_time": 1.5}).result
    assert 1.5 <= time.monotonic() - begun < 4
    assert 1.4 <= result["processing_time"] < 4


def test_progress_grows_from_nothing_to_everything():
    percents = [p for p, _ in run_handler("DATA_PROCESSING", {"num_rows": 10}).recorder.progresses if p is not None]
    assert percents[0] == 0
    assert percents[-1] == 100
    assert percents == sorted(percents)


def test_the_contracts_figures_are_of_the_first_numeric_column_of_the_whole_file():
    lines = "".join(f"x{i},{i}\n" for i in range(5000))
    result = profiled("name,value\n" + lines)
    figures = [result[key] for key in ("rows_processed", "total_sum", "average", "max_value", "min_value")]
    assert figures == [5000, 12_497_500, 2499.5, 4999, 0]
    assert result["numeric_column"] == "value"


def test_figures_are_null_where_no_column_is_numeric():
    result = profiled("name,town\nAnn,Graz\nBob,Wien\n")
    assert [result[key] for key in ("total_sum", "average", "max_value", "min_value")] == [None] * 4


def test_each_column_has_the_facts_that_apply_to_it():
    result = profiled(ORDERS)
    total = column(result, "total")
    assert (total["type"], total["nulls"], total["distinct"], total["min"], total["max"]) == ("number", 1, 3, -5, 10.5)
    assert total["mean"] == pytest.approx(10 / 3)
    assert total["std"] == pytest.approx(statistics.stdev([10.5, 4.5, -5]))
    assert [total[q] for q in ("q25", "q50", "q75")] == [-0.25, 4.5, 7.5]
    country = column(result, "country")
    assert country["top"] == [{"value": "DE", "count": 3}, {"value": "AT", "count": 1}]
    assert [country[key] for key in ("mean", "std", "q25", "histogram")] == [None] * 4
    day = column(result, "ordered_on")
    assert (day["min"], day["max"], day["q50"]) == ("2024-01-31", "2024-03-01", "2024-02-29")


def test_a_histogram_counts_every_value_also_those_far_outside():
    values = [*range(1000), 10**9, -(10**9)]
    result = profiled("v,w\n" + "".join(f"{v},x\n" for v in values))
    bins = column(result, "v")["histogram"]
    assert sum(one["count"] for one in bins) == len(values)
    assert (bins[0]["from"], bins[-1]["to"]) == (-(10**9), 10**9)
    assert column(result, "v")["outliers"] == 2


def test_correlated_columns_are_told_with_the_strongest_first():
    lines = "".join(f"{i},{2 * i + 1},{i % 7},{-i + i % 5}\n" for i in range(200))
    pairs = profiled("a,b,c,d\n" + lines)["correlations"]
    assert pairs[0] == {"a": "a", "b": "b", "r": 1.0}
    assert pairs[1]["r"] < -0.9


def test_repeated_rows_are_counted_and_the_cleaned_rows_keep_one_of_each_in_their_order():
    run = profile("a,b\n3,x\n1,y\n3,x\n2,z\n1,y\n3,x\n")
    assert run.result["repeated_rows"] == 3
    assert rows_of(run) == [["a", "b"], ["3", "x"], ["1", "y"], ["2", "z"]]
    assert any("3 rows repeat an earlier one" in warning for warning in run.result["warnings"])


def test_a_big_file_keeps_its_order_whatever_is_left_out():
    ids = [number * 7919 % 300_007 for number in range(300_000)]
    run = profile("id,t\n" + "".join(f"{number},x\n" for number in [*ids, *ids[:100_000]]))
    assert run.result["repeated_rows"] == 100_000
    assert [int(row[0]) for row in rows_of(run)[1:]] == ids


def test_the_profile_is_saved_as_json_and_the_rows_as_csv_and_parquet(tmp_path: Path):
    import duckdb

    run = profile(ORDERS)
    assert json.loads(run.files["table.profile.json"])["rows"] == 4
    path = saved(run, "table.clean.parquet", tmp_path)
    types = [row[:2] for row in duckdb.sql(f"DESCRIBE FROM '{path}'").fetchall()]
    assert types == [("id", "BIGINT"), ("total", "DOUBLE"), ("country", "VARCHAR"), ("ordered_on", "DATE")]
    assert rows_of(run)[2] == ["2", "", "AT", "2024-02-29"]


def test_the_cleaned_rows_are_left_out_when_not_asked_for():
    assert list(profile(ORDERS, clean_copy=False).files) == ["table.profile.json"]


def test_no_cell_of_the_cleaned_csv_is_a_formula_and_negative_numbers_stay_numbers():
    run = profile('=name,n\n=1+1,-5\n+49,-6\n-x,-7\n@y,8\n"\ttab",9\nplain,10\n')
    header, *rows = rows_of(run)
    assert header == ["'=name", "n"]
    assert [row[0] for row in rows] == ["'=1+1", "'+49", "'-x", "'@y", "'\ttab", "plain"]
    assert [row[1] for row in rows] == ["-5", "-6", "-7", "8", "9", "10"]


def test_the_first_hundred_rows_are_shown():
    first = profiled("a,b\n" + "".join(f"{i},x{i}\n" for i in range(300)))["first_rows"]
    assert first["names"] == ["a", "b"]
    assert first["rows"] == [[i, f"x{i}"] for i in range(100)]


def wide(columns: int, rows: int) -> str:
    names = ",".join(f"column {number}" for number in range(columns))
    row = ",".join(str(number) if number % 2 else f"text {number}" for number in range(columns))
    return f"{names}\n" + f"{row}\n" * rows


def test_of_a_wide_table_the_columns_after_the_first_have_their_drawings_in_the_profile_file_alone():
    run = profile(wide(250, rows=3))
    assert [bool(run.result["columns"][number]["top"]) for number in (199, 200)] == [True, False]
    assert all(one["top"] for one in json.loads(run.files["table.profile.json"])["columns"])
    assert len(run.result["first_rows"]["names"]) == 50


@pytest.mark.slow
@pytest.mark.parametrize("rows", [3, 5000])
def test_a_result_is_strict_json_and_small_with_two_thousand_columns(rows):
    result = profiled(wide(2000, rows))
    assert result["rows_processed"] == rows
    assert len(result["columns"]) == 2000
    assert len(json.dumps(result, allow_nan=False)) < 2_000_000


def test_an_interrupt_stops_it_at_once():
    with pytest.raises(TaskInterrupted):
        run_handler("DATA_PROCESSING", {"num_rows": 10}, recorder=MemoryRecorder(interrupt_after=5))


def test_a_pause_for_the_asked_pace_is_interrupted_too():
    begun = time.monotonic()
    with pytest.raises(TaskInterrupted):
        run_handler(
            "DATA_PROCESSING", {"num_rows": 10, "processing_time": 600}, recorder=MemoryRecorder(interrupt_after=20)
        )
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        ({"num_rows": 0}, "num_rows"),
        ({"num_rows": 10_000_000}, "num_rows"),
        ({"processing_time": -1}, "processing_time"),
        ({"separator": "ab"}, "separator"),
        ({"encoding": "klingon"}, "encoding"),
        ({"rows": 5}, "rows"),
    ],
)
def test_parameters_out_of_range_are_refused_before_the_work_starts(parameters, wrong):
    with pytest.raises(ValidationError) as refused:
        run_handler("DATA_PROCESSING", parameters)
    assert wrong in refused.value.detail


def test_every_parameter_is_explained():
    fields = registry.get("DATA_PROCESSING").serializer.fields.values()
    assert all(field.help_text for field in fields)


def test_a_task_is_named_after_its_file_and_summed_up_in_a_line():
    kind = registry.get("DATA_PROCESSING")
    file = StoredFile(None, "orders.csv", Path("x"), 1)  # type: ignore[arg-type]
    assert kind.name_for({"file": file}) == "orders.csv"
    assert kind.name_for({"num_rows": 1000}) == "Sample data, 1,000 rows"
    assert kind.summarize(profiled(ORDERS)) == "4 rows, 4 columns, 2 warnings"


def test_the_time_limit_grows_with_the_file_and_the_asked_pace():
    kind = registry.get("DATA_PROCESSING")
    small, large = (StoredFile(None, "x", Path("x"), size) for size in (1000, 2 * 10**9))  # type: ignore[arg-type]
    assert kind.timeout_for({"file": large}) > kind.timeout_for({"file": small}) + 1000
    assert kind.timeout_for({"processing_time": 3000}) > 3000


def test_the_sample_on_the_form_shows_what_it_finds():
    result = run_handler("DATA_PROCESSING", registry.get("DATA_PROCESSING").sample()).result
    assert result["rows_processed"] > 200
    assert result["repeated_rows"] == 1
    assert result["lines_set_aside"] == 1
    assert column(result, "discount")["unreadable"] > 0
