"""Excel workbooks: one sheet, written out as CSV, row by row."""

from __future__ import annotations

import csv
import datetime as dt
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext as _

from tasks.context import Fail
from tasks.handlers.data_processing.dialect import MOST_COLUMNS, too_many_columns
from tasks.handlers.data_processing.progress import Progress
from tasks.handlers.data_processing.unpacking import Allowance, PlainFile

EVERY = 500
MOST_ROWS = 2**20  # of a sheet; a row may claim any number, and openpyxl counts up to it


def sheet_as_csv(plain: PlainFile, sheet: str, folder: Path, progress: Progress) -> tuple[PlainFile, str]:
    """The sheet asked for, or the first one that holds anything, and its name. Raises Fail.

    Shared texts stay in memory: the parts of the file are limited for that.
    """
    _refuse_bombs(plain)
    target = folder / "sheet"
    with plain.path.open("rb") as file:
        book = _opened(file, plain.name)
        for title in _titles(book, sheet, plain.name):
            if _write(book[title], target, plain, progress):
                return PlainFile(target, plain.name, "text", plain.packed_as), title
    raise Fail(_("%(name)s holds no rows.") % {"name": plain.name})


def _refuse_bombs(plain: PlainFile) -> None:
    with zipfile.ZipFile(plain.path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
        shared = sum(m.file_size for m in archive.infolist() if m.filename.lower() == "xl/sharedstrings.xml")
    _allowance(plain).take(unpacked)
    if shared > settings.DUCKDB_MEMORY_MB * 1024 * 1024 // 4:
        message = _("%(name)s holds too many different texts for the memory allowed: save it as CSV.")
        raise Fail(message % {"name": plain.name})


def _allowance(plain: PlainFile) -> Allowance:
    return Allowance(plain.path.stat().st_size, plain.name, plain.path.parent)


def _opened(file: IO[bytes], name: str) -> Any:
    import openpyxl

    try:
        return openpyxl.load_workbook(file, read_only=True, data_only=True)
    except (KeyError, ValueError, OSError, zipfile.BadZipFile, SyntaxError):
        raise _damaged(name) from None


def _damaged(name: str) -> Fail:
    return Fail(_("%(name)s is an Excel file that is damaged.") % {"name": name})


def _titles(book: Any, sheet: str, name: str) -> list[str]:
    titles = [one.title for one in book.worksheets]
    if not sheet:
        return titles
    if sheet not in titles:
        message = _("%(name)s has no sheet “%(sheet)s”. It has: %(titles)s.")
        raise Fail(message % {"name": name, "sheet": sheet, "titles": ", ".join(titles)})
    return [sheet]


def _write(sheet: Any, target: Path, plain: PlainFile, progress: Progress) -> int:
    """How many rows were written. What is empty at the end of rows is kept, so that all have one width.

    A few bytes name a long shared text, or a cell far to the right, as often as they like: what is written counts too.
    """
    total = sheet.max_row or 0  # as the file claims; it may be wrong
    sheet.reset_dimensions()
    count, allowance = 0, _allowance(plain)
    with target.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        for number, row in enumerate(_padded(sheet.iter_rows(values_only=True), plain.name), 1):
            if len(row) > MOST_COLUMNS:
                raise too_many_columns(plain.name, len(row))
            allowance.take(writer.writerow([text_of(value) for value in row]))
            count += 1
            if number % EVERY == 0:
                progress.part(number, max(total, number))
    return count


def _padded(rows: Iterator[Sequence[Any]], name: str) -> Iterator[Sequence[Any]]:
    width = 0
    for number, row in enumerate(rows):
        if number == MOST_ROWS:
            raise _damaged(name)
        if any(value is not None for value in row):
            width = max(width, len(row))
            yield [*row, *[None] * (width - len(row))]


def text_of(value: Any) -> str:
    """A cell as the CSV reader understands it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ", "seconds")
    if isinstance(value, dt.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)
