"""Rows as CSV that a spreadsheet shows and never runs."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from tasks.formulas import safe


class Echo:
    """A file that gives back what is written to it: csv.writer returns the line."""

    def write(self, line: str) -> str:
        return line


def harmless(cell: Any) -> Any:
    """A text that could be read as a formula gets an apostrophe before it; numbers stay numbers."""
    if cell is None or isinstance(cell, int | float):
        return cell
    return safe(as_text(cell).replace("\0", ""))


def as_text(cell: Any) -> str:
    if isinstance(cell, dict | list):
        return json.dumps(cell, ensure_ascii=False, default=str)
    return cell.isoformat() if isinstance(cell, datetime) else str(cell)


def csv_lines(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """Every cell quoted but the numbers."""
    writer = csv.writer(Echo(), quoting=csv.QUOTE_NONNUMERIC)
    yield writer.writerow([harmless(cell) for cell in header])
    for row in rows:
        yield writer.writerow(["" if cell is None else harmless(cell) for cell in row])


def csv_response(name: str, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> StreamingHttpResponse:
    """The rows as a download, written as they are read."""
    headers = {"Content-Disposition": content_disposition_header(True, name) or ""}
    return StreamingHttpResponse(csv_lines(header, rows), content_type="text/csv; charset=utf-8", headers=headers)
