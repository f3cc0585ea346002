from __future__ import annotations

import gzip
import io
import os
import zipfile

import duckdb
import pytest

from tasks.handlers.data_processing import database
from tests.handlers.tables import profile, profiled, rows_of
from tests.handlers.test_data_processing_formats import workbook, zipped

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "table.csv is empty."),
        (b"\xef\xbb\xbf \n\n", "table.csv is empty."),
        (b"a,b,c\n", "table.csv holds a header and no rows below it."),
        (PNG, "table.csv is not a table: it is a PNG image."),
        (b"%PDF-1.7 ...", "table.csv is not a table: it is a PDF document."),
        (b"<!DOCTYPE html><html></html>", "table.csv is not a table: it is a web page."),
        (
            b"\xd0\xcf\x11\xe0 old",
            "table.csv is not a table: it is an old Office document (.xls, .doc); save it as .xlsx.",
        ),
        (bytes(range(256)) * 100, "table.csv is not a table: it holds binary data."),
        (b"\0" * 10_000, "table.csv is not a table: it holds binary data."),
        (b"x" * 3_000_000, "Line 1 of table.csv is longer than 500,000 characters: this is not a table."),
        (b"a,b\n" + b"1,2," * 300_000, "Line 2 of table.csv is longer than 500,000 characters: this is not a table."),
        (
            b"a,b\n" + b"1,2\n" * 300_000 + b"x" * 3_000_000,
            "The last line of table.csv is longer than 2,000,000 characters: this is not a table.",
        ),
        (
            b"a,b\n1,2\n1,2\n1\n1,2,3\n1,2,3,4\n",
            "table.csv is not a table: most of its lines do not fit, the first is line 4: 1 value instead of 2.",
        ),
        (b",".join([b"x"] * 3000) + b"\n", "table.csv has 3,000 columns; at most 2,500 are taken."),
        (gzip.compress(b"a,b\n1,2\n")[:-9], "table.csv is damaged: its packed data breaks off or is wrong after"),
        (gzip.compress(b"0" * 200_000_000), "table.csv unpacks to far more than a table would; it was refused."),
        (zipped(a_csv="1", b_csv="2"), "table.csv holds 2 files; it must hold one table."),
        (zipped(a_zip="PK\x03\x04"), "a.zip is a zip file that is damaged."),
        (b"PK\x03\x04" + b"x" * 100, "table.csv is a zip file that is damaged."),
        (b"PAR1" + b"x" * 100 + b"PAR1", "table.csv is a Parquet file that is damaged."),
        (workbook(Sheet=[]), "table.csv holds no rows."),
        (workbook(Sheet=[["a"], [1]])[:2000], "table.csv is a zip file that is damaged."),
        (b'[{"a": 1}, {"a": ', "table.csv is JSON that is broken or breaks off."),
        (b"[[1, 2], [3, 4]]", "table.csv holds no JSON object that could be a row."),
        (b"[1, 2, 3]\n", "table.csv holds no JSON object that could be a row."),
        (b"[" * 100_000, "table.csv holds a header and no rows below it."),
        (b"[]", "table.csv holds no JSON object that could be a row."),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_file_ends_in_a_sentence_that_says_what_is_wrong(content, sentence):
    run = profile(content)
    assert run.result is None
    assert run.failed.startswith(sentence)
    assert not run.files


def test_a_file_that_is_not_of_the_encoding_it_is_said_to_be_is_told_as_such():
    assert profile("a,b\n1,2\n", encoding="utf-16").failed == (
        "table.csv is not stored as UTF-16, or lacks the mark that begins it."
    )


def test_a_text_that_begins_like_json_is_a_table_all_the_same():
    assert profiled("[id],[name]\n1,Ann\n2,Bo\n")["rows_processed"] == 2


def test_a_parquet_file_damaged_amid_its_rows_is_told_as_such(tmp_path):
    path = tmp_path / "table.parquet"
    duckdb.execute(f"COPY (SELECT i, 'text ' || i AS t FROM range(100_000) AS r(i)) TO '{path}' (FORMAT parquet)")
    content = bytearray(path.read_bytes())
    content[100_000:101_000] = bytes(range(250)) * 4
    assert profile(bytes(content), "table.parquet").failed == "table.parquet is a Parquet file that is damaged."


def test_a_zip_that_is_protected_or_holds_a_stranger_is_refused():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("picture.csv", PNG)
    assert profile(out.getvalue()).failed == "picture.csv is not a table: it is a PNG image."
    locked = bytearray(zipped(a_csv="a,b\n1,2\n"))
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(header) + flags] |= 1
    assert profile(bytes(locked)).failed == "table.csv is protected by a password."


def test_a_zip_bomb_is_refused_before_it_fills_the_disk():
    assert profile(zipped(a_csv="0" * 200_000_000)).failed.endswith("it was refused.")


def repeating_workbook(row: str, times: int) -> bytes:
    """A workbook whose sheet has the same row again and again, and one shared text of 30,000 letters."""
    names = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    first = '<row><c t="inlineStr"><is><t>name</t></is></c></row>'
    parts = {
        "xl/worksheets/sheet1.xml": f"<worksheet {names}><sheetData>{first}{row * times}</sheetData></worksheet>",
        "xl/sharedStrings.xml": f"<sst {names}><si><t>{'A' * 30_000}</t></si></sst>",
    }
    shared = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    listed = b'<Override PartName="/xl/sharedStrings.xml" ContentType="' + shared + b'"/></Types>'
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook(Sheet=[["a"]]))) as plain, zipfile.ZipFile(out, "w", 8) as archive:
        for name in plain.namelist():
            if name not in parts:
                archive.writestr(name, plain.read(name).replace(b"</Types>", listed))
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ('<row><c t="s"><v>0</v></c></row>', "unpacks to far more than a table would; it was refused."),
        ('<row><c r="XFD1"><v>1</v></c></row>', "has 16,384 columns; at most 2,500 are taken."),
        ('<row r="9000000000"><c><v>1</v></c></row>', "is an Excel file that is damaged."),
    ],
)
def test_a_small_workbook_that_would_fill_the_disk_or_never_end_is_refused(row, sentence):
    assert profile(repeating_workbook(row, 10_000), "table.xlsx").failed == f"table.xlsx {sentence}"


def test_a_disk_that_runs_full_ends_the_task_before_others_feel_it(monkeypatch):
    monkeypatch.setattr(database, "SPARE_DISK", 2**62)
    assert profile("a,b\n" + "1,2\n" * 500_000).failed == database.FULL_DISK


def test_lines_with_too_few_or_too_many_values_are_set_aside_with_their_line():
    run = profile("a,b,c\n1,2,3\n4,5\n6,7,8,9\n" + "".join(f"{n},x,y\n" for n in range(10)))
    assert run.result["rows_processed"] == 11
    assert run.result["warnings"][0] == (
        "2 lines do not fit the table and were set aside, the first at line 3: 2 values instead of 3."
    )
    assert rows_of(run, "table.set-aside.csv") == [
        ["line", "reason", "text"],
        ["3", "2 values instead of 3", "4,5"],
        ["4", "4 values instead of 3", "6,7,8,9"],
    ]


@pytest.mark.parametrize("broken", ['7,"never closed,y', '7,"closed" too early,y', '7,""",y'])
def test_a_line_with_broken_quotes_takes_no_other_line_with_it(broken):
    lines = [f'{number},"text {number}",z' for number in range(20_000)]
    lines[9_000] = broken
    result = profiled("n,t,u\n" + "\n".join(lines) + "\n", clean_copy=False)
    assert result["rows_processed"] == 19_999
    assert result["total_sum"] == sum(range(20_000)) - 9_000
    assert result["warnings"][0] == ("1 line does not fit the table and was set aside: line 9,002, broken quotes.")


def test_lines_after_one_that_was_set_aside_keep_their_numbers():
    lines = [f'{number},"x",{number}' for number in range(300)]
    lines[100], lines[200], lines[250] = '100,"broken,1', "200,x", '250,"x",oops'
    warnings = profiled("n,t,m\n" + "\n".join(lines) + "\n")["warnings"]
    assert warnings[:2] == [
        "2 lines do not fit the table and were set aside, the first at line 102: broken quotes.",
        "Column m holds 1 value that is not of its kind, whole numbers: “oops” at line 252.",
    ]


def test_mixed_line_ends_are_read_wherever_they_are():
    assert profiled("a,b\r\n1,2\n3,4\r\n")["total_sum"] == 4
    late = "a,b\n" + "1,2\n" * 300_000 + "3,4\r\n" + "1,2\n" * 10
    assert profiled(late, clean_copy=False)["rows_processed"] == 300_011


def test_nul_bytes_are_taken_out_with_a_warning():
    result = profiled(b"a,b\n1,x\0y\n2,\0z\n")
    assert result["first_rows"]["rows"] == [[1, "xy"], [2, "z"]]
    assert result["warnings"] == ["2 NUL bytes were removed."]


def test_broken_lines_of_json_are_set_aside_with_their_line():
    run = profile('{"a": 1}\n\n{broken\n[1]\n{"a": 2}\n{"a": 3}\n', "table.jsonl")
    assert run.result["total_sum"] == 6
    assert [row[0] for row in rows_of(run, "table.set-aside.csv")[1:]] == ["3", "4"]


def test_a_name_that_looks_like_a_formula_is_harmless_in_every_file():
    run = profile("a,b\n1,2\n3,4\n=cmd(),5,6\n7,8\n")
    assert rows_of(run, "table.set-aside.csv")[1][2] == "'=cmd(),5,6"


def test_too_little_memory_is_told_with_the_setting_to_change(settings):
    settings.DUCKDB_MEMORY_MB = 64
    lines = "".join(f"{os.urandom(200).hex()},x{number}\n" for number in range(20_000))
    run = profile("a,b\n" + lines)
    assert run.failed is None or "TASKHUB_DUCKDB_MEMORY" in run.failed
