"""From an upload to typed rows: open it by its content, read it, and cure what stands in the way."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from django.utils.translation import gettext as _

from tasks.context import Fail
from tasks.handlers.data_processing.database import Database, OutOfMemory
from tasks.handlers.data_processing.delimited import delimited_source, plain_text, relation
from tasks.handlers.data_processing.dialect import Dialect
from tasks.handlers.data_processing.guessing import columns_of
from tasks.handlers.data_processing.json_objects import FORMS, json_source
from tasks.handlers.data_processing.loading import COLUMNS_IN_FILE, Rows, load
from tasks.handlers.data_processing.mending import Mender
from tasks.handlers.data_processing.one_pass import is_worth_it, read_once
from tasks.handlers.data_processing.parquet import damaged, parquet_source
from tasks.handlers.data_processing.rejects import has_broken_quotes, has_broken_text, rejects_of, set_aside
from tasks.handlers.data_processing.source import Source
from tasks.handlers.data_processing.unpacking import PlainFile, Rewriter
from tasks.handlers.data_processing.workbook import sheet_as_csv


@dataclass(frozen=True)
class Options:
    """How to read, as the person who submitted it says. `in_order`: the rows are to be written out again."""

    separator: str = "auto"
    header: str = "auto"
    encoding: str = "auto"
    sheet: str = ""
    in_order: bool = True


class Reader:
    """Reads one plain file into typed rows, all that it writes in `folder`."""

    def __init__(self, plain: PlainFile, options: Options, folder: Path, database: Database) -> None:
        self.plain = plain
        self.options = options
        self.folder = folder
        self.database = database
        self.progress = database.progress

    def open(self) -> Source:
        """Raises Fail for what is no table."""
        if self.plain.kind == "parquet":
            return parquet_source(self.plain, self.database)
        if self.plain.kind == "excel":
            return self._open_sheet()
        self.plain = plain_text(self.plain, self.options.encoding, self.folder, self.progress)
        if self.plain.kind in FORMS:
            return json_source(self.plain, self.folder, self.database)
        return delimited_source(self.plain, self.folder, separator=self.options.separator, header=self.options.header)

    def _open_sheet(self) -> Source:
        self.plain, title = sheet_as_csv(self.plain, self.options.sheet, self.folder, self.progress)
        source = delimited_source(self.plain, self.folder, separator=",", header=self.options.header)
        source.format, source.details = _("Excel"), {"sheet": title, "header": source.details["header"]}
        return source

    def read(self, source: Source) -> tuple[Source, Rows]:
        """The rows, and the source they came from in the end. Raises Fail where too little of it is a table."""
        source, rows = self._read_cured(source) if source.dialect else (source, self._read_plainly(source))
        if source.set_aside and len(source.set_aside) > rows.count:
            first = source.set_aside[0]
            message = _(
                "%(name)s is not a table: most of its lines do not fit, the first is line %(line)s: %(reason)s."
            )
            raise Fail(message % {"name": source.name, "line": f"{first.line:,}", "reason": first.reason})
        if not rows.count:
            raise Fail(_("%(name)s holds no rows.") % {"name": source.name})
        return source, rows

    def _read_plainly(self, source: Source) -> Rows:
        import duckdb

        try:
            return self._load(source)
        except duckdb.Error as error:
            self.progress.heard()  # an interrupt may have caused it
            if self.plain.kind != "parquet":
                raise
            raise damaged(self.plain) from error

    def _load(self, source: Source) -> Rows:
        if source.width > COLUMNS_IN_FILE:
            self.database.go_slowly()
        columns = columns_of(source, self.database)
        if is_worth_it(source) and not self.options.in_order:
            with suppress(OutOfMemory):  # it takes less to write the rows out and to ask for one thing after the other
                return read_once(source, columns, self.database, self.folder)
        return load(source, columns, self.database, self.folder, in_order=self.options.in_order)

    def _read_cured(self, source: Source) -> tuple[Source, Rows]:
        """Reads a CSV; where its text or its quotes are broken, once more after a cure."""
        rows = self._load_or_none(source)
        if rows is None or has_broken_text(self.database):
            source = self._rewritten(source)
            rows = self._load_or_none(source)
        if rows is None:
            raise Fail(_("%(name)s cannot be read as a table: its quotes or line ends are broken.") % vars(source))
        if has_broken_quotes(self.database) and source.dialect:
            self._mend(source, source.dialect)
            rows = self._load(source)
        rejected = rejects_of(self.database)
        source.set_aside = sorted([*source.set_aside, *set_aside(rejected, source)], key=lambda aside: aside.line)
        return source, rows

    def _load_or_none(self, source: Source) -> Rows | None:
        import duckdb

        try:
            return self._load(source)
        except duckdb.InvalidInputException:
            self.progress.heard()  # an interrupt may have caused it
            return None

    def _rewritten(self, source: Source) -> Source:
        self.plain = Rewriter(self.plain, "utf-8").write(self.folder / "rewritten-again", self.progress)
        self.options = replace(self.options, encoding="auto")
        return self.open()

    def _mend(self, source: Source, dialect: Dialect) -> None:
        mender, mended = Mender(dialect, self.progress), self.folder / "mended"
        mender.mend(self.plain.path, mended)
        source.relation, source.set_aside = relation(mended, dialect), mender.set_aside
