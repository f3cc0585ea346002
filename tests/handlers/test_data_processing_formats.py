from __future__ import annotations

import datetime as dt
import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.handlers.tables import column, kinds, profile, profiled, rows_of

ROWS = [["a", "b"], ["1", "Müller"], ["2", "Größe"]]
PARSED = [[1, "Müller"], [2, "Größe"]]


def text(separator: str = ",", end: str = "\n") -> str:
    return end.join(separator.join(row) for row in ROWS) + end


def zipped(**members: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return out.getvalue()


def workbook(**sheets: list[list[Any]]) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", ":"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_separator_and_line_end_is_found_out(separator, end):
    assert profiled(text(separator, end))["first_rows"]["rows"] == PARSED


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252"])
def test_the_encoding_is_found_out(encoding):
    assert profiled(text().encode(encoding))["first_rows"]["rows"] == PARSED


def test_a_foreign_letter_late_in_a_big_file_is_read_as_windows_1252():
    content = "name,n\n" + "Mueller,1\n" * 200_000 + "Müller,2\n"
    result = profiled(content.encode("cp1252"), clean_copy=False)
    assert result["rows_processed"] == 200_001
    assert {"value": "Müller", "count": 1} in column(result, "name")["top"]


def test_an_encoding_that_is_given_is_used():
    assert profiled("a,b\n1,\xa4\n".encode("latin-1"), encoding="latin-1")["first_rows"]["rows"] == [[1, "\xa4"]]


@pytest.mark.parametrize(("separator", "given"), [("~", "~"), ("\t", "tab"), (" ", " ")])
def test_a_separator_that_is_given_is_used(separator, given):
    assert profiled(text(separator), separator=given)["first_rows"]["rows"] == PARSED


def test_quoted_values_may_hold_separators_quotes_and_line_ends():
    run = profile('a,b\n"x, y","say ""hi"""\n"two\nlines",z\n')
    assert rows_of(run)[1:] == [["x, y", 'say "hi"'], ["two\nlines", "z"]]


def test_quotes_escaped_by_a_backslash_are_understood():
    assert profiled('a,b\n"say \\"hi\\"",1\n')["first_rows"]["rows"] == [['say "hi"', 1]]


def test_times_do_not_make_a_colon_the_separator():
    assert kinds(profiled("t,v\n10:00:00,1\n11:30:00,2\n")) == {"t": "time", "v": "integer"}


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("a,b\n1,2\n", ["a", "b"]),
        ("1,2\n3,4\n", ["column_1", "column_2"]),
        ("Ann,Graz\nBob,Wien\nAnn,Linz\n", ["column_1", "column_2"]),
        ("town,2023,2024\nGraz,1,2\n", ["town", "2023", "2024"]),
        ("a,A,,a\n1,2,3,4\n", ["a", "A_2", "column_3", "a_3"]),
        ('"a\nlong name",b\n1,2\n', ["a long name", "b"]),
        ("a,b\nx,1,2\ny,3,4\n", ["column_1", "a", "b"]),
        ("a,b\n1,2,\n3,4,\n", ["a", "b", "column_3"]),
        ("Report of May\n\na,b\n1,2\n3,4\n", ["a", "b"]),
    ],
)
def test_columns_are_named_by_the_header_if_there_is_one(content, names):
    assert [one["name"] for one in profiled(content)["columns"]] == names


def test_whether_there_is_a_header_can_be_said():
    assert profiled("1,2\n3,4\n", header="yes")["rows_processed"] == 1
    assert profiled("a,b\nc,d\n", header="no")["rows_processed"] == 2


def test_one_column_is_a_table_too():
    assert profiled("n\n1\n2\n")["total_sum"] == 3


def test_gzip_and_zip_are_unpacked_whatever_they_are_called():
    assert profiled(gzip.compress(text().encode()), "table.csv")["first_rows"]["rows"] == PARSED
    assert profiled(zipped(table_csv=text()), "table.csv")["first_rows"]["rows"] == PARSED


def test_json_lines_have_every_key_as_a_column_and_nested_values_as_json():
    lines = '{"a": 1, "b": "x"}\n{"a": 2.5, "c": {"d": [1]}}\n\n{"b": "NA"}\n'
    result = profiled(lines, "table.jsonl")
    assert result["first_rows"] == {
        "names": ["a", "b", "c"],
        "rows": [[1.0, "x", None], [2.5, None, '{"d":[1]}'], [None, None, None]],
    }


def test_a_json_array_of_objects_is_a_table_too():
    assert profiled('[{"a": 1},\n {"a": 2}]')["total_sum"] == 3


def test_odd_keys_of_json_are_columns_like_others():
    result = profiled('{"a.b": 1, "it\'s": 2, "say \\"x\\"": 3, "/~": 4, "": 5}\n')
    assert [one["max"] for one in result["columns"]] == [1, 2, 3, 4, 5]


def test_parquet_keeps_its_types(tmp_path: Path):
    import duckdb

    path = tmp_path / "any.csv"
    duckdb.sql(
        "COPY (SELECT i, i / 4 AS f, 'x' || i AS t, DATE '2024-01-01' + i::INTEGER AS d, i = 1 AS b, [i] AS l, "
        "TIMESTAMPTZ '2024-01-01 10:00:00+02' AS z, INTERVAL (i) HOUR AS h, i::DECIMAL(9,2) AS c, i::HUGEINT AS g, "
        f"'nan'::DOUBLE AS n, NULL::INTEGER AS e FROM range(3) AS numbers(i)) TO '{path}' (FORMAT parquet)"
    )
    result = profiled(path.read_bytes())
    assert list(kinds(result).values()) == [
        "integer", "number", "text", "date", "boolean", "text", "datetime", "duration", "number", "number", "empty",
        "empty",
    ]  # fmt: skip
    assert column(result, "z")["min"] == "2024-01-01 08:00:00"


def test_excel_sheets_are_read_with_their_dates_and_booleans():
    moment = dt.datetime(2024, 1, 2, 3, 4, 5)  # noqa: DTZ001 - Excel knows no zones
    sheet = [
        ["id", "day", "at", "ok", "note"],
        [1, moment.date(), moment, True, "two\nlines"],
        [2, None, moment.replace(day=3), False, None],
    ]
    result = profiled(workbook(Orders=sheet), "orders.xlsx")
    assert list(kinds(result).values()) == ["integer", "date", "datetime", "boolean", "text"]
    assert result["first_rows"]["rows"][1] == [2, None, "2024-01-03 03:04:05", False, None]


def test_the_first_sheet_that_holds_anything_is_read_or_the_one_asked_for():
    book = workbook(Empty=[], First=[["a"], [1]], Second=[["a"], [2]])
    assert profiled(book)["total_sum"] == 1
    assert profiled(book, sheet="Second")["total_sum"] == 2
    assert profile(book, sheet="Third").failed == ("table.csv has no sheet “Third”. It has: Empty, First, Second.")
