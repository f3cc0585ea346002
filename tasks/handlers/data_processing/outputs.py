"""The files a task leaves: the cleaned rows as CSV and Parquet, the lines set aside, the profile."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from tasks.context import TaskContext
from tasks.formulas import STARTS, safe
from tasks.handlers.data_processing.database import Database, OutOfMemory, identifier, quoted
from tasks.handlers.data_processing.guessing import Column
from tasks.handlers.data_processing.loading import Rows, parquet_sizes
from tasks.handlers.data_processing.relations import row_hash
from tasks.handlers.data_processing.source import Source


class Outputs:
    """Writes the files of one task below `folder` and hands them to the context."""

    def __init__(self, context: TaskContext, source: Source, rows: Rows, database: Database, folder: Path) -> None:
        self.context = context
        self.source = source
        self.rows = rows
        self.database = database
        self.folder = folder
        self.stem = Path(source.name).stem.removesuffix(".csv")[:100] or "table"

    def save_rows(self, repeated: int) -> list[str]:
        """The cleaned rows: one of each, what could not be read left empty, in the order of the file.

        Gives a warning for each file that was left out: of very wide tables, whose rows are too much for memory.
        """
        table = self._without_repetitions() if repeated else self.rows.table
        copies = {f"{self.stem}.clean.csv": self._csv(table), f"{self.stem}.clean.parquet": self._parquet(table)}
        warnings = []
        for number, (name, (rows, options)) in enumerate(copies.items()):
            self.database.progress.begin_part(number, len(copies))
            try:
                self._save(name, rows, options)
            except OutOfMemory:
                message = _("%(name)s was not saved: it has too many columns for the memory allowed.")
                warnings.append(message % {"name": name})
        return warnings

    def _save(self, name: str, rows: str, options: str) -> None:
        path = self.folder / "output"
        self.database.copy(rows, path, options)
        self.context.save_file(name, path)

    def _csv(self, table: str) -> tuple[str, str]:
        """Texts and names in quotes and safe from being formulas; numbers, also negative ones, stay numbers."""
        values = ", ".join(f"{_csv_value(c)} AS {identifier(safe(c.name))}" for c in self.rows.columns)
        texts = ", ".join(identifier(safe(c.name)) for c in self.rows.columns if c.kind == "text")
        quotes = f", FORCE_QUOTE ({texts})" if texts else ""
        return f"SELECT {values} FROM {table}", f"FORMAT csv, HEADER true{quotes}"

    def _parquet(self, table: str) -> tuple[str, str]:
        columns = ", ".join(f"{c.key} AS {identifier(c.name)}" for c in self.rows.columns)
        return f"SELECT {columns} FROM {table}", f"FORMAT parquet, {parquet_sizes(self.rows.columns)}"

    def _without_repetitions(self) -> str:
        """The first of each row, as SQL. One bit a row says which are others: a filter keeps the order, a join would not."""
        hashed = f"SELECT file_row_number AS row, {row_hash(self.rows)} AS same FROM {self.rows.table}"
        repeated = (
            f"SELECT row FROM ({hashed}) JOIN "
            f"(SELECT same, min(row) AS first FROM ({hashed}) GROUP BY same HAVING count(*) > 1) USING (same) "
            "WHERE row <> first"
        )
        bits = f"SELECT bitstring_agg(row, 0, {self.rows.count - 1}) FROM ({repeated})"
        self.database.run(f"SET VARIABLE repeated = ({bits})")
        return f"(FROM {self.rows.table} WHERE get_bit(getvariable('repeated'), CAST(file_row_number AS INTEGER)) = 0)"

    def save_set_aside(self) -> None:
        """The lines that do not fit the table, as they are but for formulas."""
        if not self.source.set_aside:
            return
        path = self.folder / "set-aside"
        with path.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
            writer.writerow(["line", "reason", "text"])
            writer.writerows([one.line, one.reason, safe(one.text)] for one in self.source.set_aside)
        self.context.save_file(f"{self.stem}.set-aside.csv", path)

    def save_profile(self, profile: dict[str, Any]) -> None:
        path = self.folder / "profile"
        path.write_text(json.dumps(profile, indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")
        self.context.save_file(f"{self.stem}.profile.json", path)


def _csv_value(column: Column) -> str:
    if column.kind != "text":
        return column.key
    starts = quoted(STARTS.replace("\0", "")) + " || chr(0)"
    is_formula = f"{column.key} <> '' AND contains({starts}, left({column.key}, 1))"
    return f"CASE WHEN {is_formula} THEN '''' || {column.key} ELSE {column.key} END"
