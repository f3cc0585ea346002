"""Puts aside the lines of a CSV whose quotes are broken, so that they cannot swallow those that follow."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO

from django.utils.translation import gettext as _

from tasks.handlers.data_processing.dialect import Dialect
from tasks.handlers.data_processing.progress import Progress
from tasks.handlers.data_processing.source import SetAside

# A value in quotes goes over so many lines at most; a quote open for longer was never meant to be.
MOST_LINES = 100
LONGEST_TEXT = 500


class Mender:
    """Reads the lines of a file, writes those that hold whole records to another, remembers the rest."""

    def __init__(self, dialect: Dialect, progress: Progress) -> None:
        self.dialect = dialect
        self.progress = progress
        self.set_aside: list[SetAside] = []

    def mend(self, path: Path, target: Path) -> None:
        size, read = max(1, path.stat().st_size), 0
        before = self.dialect.skipped + self.dialect.header_lines
        with path.open("rb") as source, target.open("wb") as out:
            out.writelines(islice(source, before))
            for number, record in self._records(source, before + 1):
                out.write(record)
                read += len(record)
                if number % 10_000 == 0:
                    self.progress.part(read, size)

    def _records(self, source: IO[bytes], number: int) -> Iterator[tuple[int, bytes]]:
        """Whole records with the number of their first line. What is read ahead in vain is read again."""
        waiting: list[bytes] = []
        while line := waiting.pop(0) if waiting else source.readline():
            if line.count(b'"') % 2 == 0 and (b'"' not in line or self._is_whole([line])):
                yield number, line
                number += 1
                continue
            waiting = [line, *waiting, *islice(source, max(0, MOST_LINES - len(waiting)))]
            if taken := self._whole_record(waiting):
                yield number, b"".join(waiting[:taken])
            else:
                self.set_aside.append(
                    SetAside(number, _("broken quotes"), line.decode("utf-8", "replace").rstrip()[:LONGEST_TEXT])
                )
                taken = 1
            number += taken
            del waiting[:taken]

    def _whole_record(self, lines: list[bytes]) -> int:
        """How many of the lines make one record: quotes in pairs, the right number of fields. None: 0."""
        quotes = 0
        for taken, line in enumerate(lines, 1):
            quotes += line.count(b'"')
            if quotes % 2 == 0:
                return taken if self._is_whole(lines[:taken]) else 0
        return 0

    def _is_whole(self, lines: list[bytes]) -> bool:
        options = {"escapechar": "\\", "doublequote": False} if self.dialect.escape == "\\" else {}
        text = [line.decode("utf-8", "replace") for line in lines]
        try:
            rows = list(csv.reader(text, delimiter=self.dialect.separator, strict=True, **options))  # type: ignore[arg-type]
        except csv.Error:
            return False
        return len(rows) == 1 and (len(lines) == 1 or len(rows[0]) == self.dialect.width)
