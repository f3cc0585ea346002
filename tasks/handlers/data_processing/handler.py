"""DATA_PROCESSING: its parameters, its limits, and the steps from a file to its profile."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from rest_framework import serializers

from tasks.context import Fail, TaskContext
from tasks.handlers.data_processing.database import FULL_DISK, Database
from tasks.handlers.data_processing.outputs import Outputs
from tasks.handlers.data_processing.progress import Progress
from tasks.handlers.data_processing.reading import Options, Reader
from tasks.handlers.data_processing.result import Findings, findings_of, profile_of, result_of
from tasks.handlers.data_processing.result_fields import Result
from tasks.handlers.data_processing.sample import sample_csv, write_sample
from tasks.handlers.data_processing.unpacking import PlainFile, unpacked
from tasks.parameters import FileParameter, StoredFile
from tasks.registry import task_type

MOST_SAMPLE_ROWS = 1_000_000
LONGEST_PACE = 3600
# A file that is read anew after a cure, with all its outputs, goes at several megabytes a second on an old machine.
SECONDS_AT_LEAST = 600
BYTES_A_SECOND = 1_000_000
# Beside DuckDB's: the texts of a workbook, the libraries.
SPARE_MEMORY_MB = 512


class Parameters(serializers.Serializer[Any]):
    file = FileParameter(
        required=False,
        help_text=gettext_lazy(
            "The table: CSV or TSV with any separator, JSON lines, Parquet or Excel (.xlsx); also packed with gzip or "
            "zip. It is judged by its content. Without a file, sample data is made and worked on."
        ),
    )
    separator = serializers.CharField(
        default="auto",
        trim_whitespace=False,
        help_text=gettext_lazy("What parts the values in a line: one character, “tab”, or “auto” to find it out."),
    )
    header = serializers.ChoiceField(
        choices=[("auto", gettext_lazy("find out")), ("yes", gettext_lazy("yes")), ("no", gettext_lazy("no"))],
        default="auto",
        help_text=gettext_lazy("Whether the first row names the columns."),
    )
    encoding = serializers.ChoiceField(
        choices=[
            ("auto", gettext_lazy("find out")),
            ("utf-8", "UTF-8"),
            ("utf-16", "UTF-16"),
            ("cp1252", "Windows-1252"),
            ("latin-1", "Latin-1"),
        ],
        default="auto",
        help_text=gettext_lazy("How the text is stored. Found out, unless a file is wrong about itself."),
    )
    sheet = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=100,
        help_text=gettext_lazy("Of an Excel file: the sheet to read. Empty: the first one that holds anything."),
    )
    clean_copy = serializers.BooleanField(
        default=True,
        help_text=gettext_lazy("Also save the cleaned rows, as CSV and as Parquet."),
    )
    num_rows = serializers.IntegerField(
        default=1000,
        min_value=1,
        max_value=MOST_SAMPLE_ROWS,
        label=gettext_lazy("Sample rows"),
        help_text=gettext_lazy("Without a file: how many rows of sample data to make."),
    )
    processing_time = serializers.FloatField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=LONGEST_PACE,
        help_text=gettext_lazy("Without a file: how many seconds the work is to take. Empty: as fast as it goes."),
    )

    def validate_separator(self, value: str) -> str:
        named = {"tab": "\t", "\\t": "\t"}.get(value, value)
        if named != "auto" and (len(named) != 1 or named in "\"'\r\n"):
            raise serializers.ValidationError(_("Give one character, “tab” or “auto”."))
        return named


def timeout_for(parameters: Mapping[str, Any]) -> float:
    size = getattr(parameters.get("file"), "size", 0) or 0
    return SECONDS_AT_LEAST + (parameters.get("processing_time") or 0) + size / BYTES_A_SECOND


def name_for(parameters: Mapping[str, Any]) -> str:
    if file := parameters.get("file"):
        return str(getattr(file, "name", file))
    return _("Sample data, %(count)s rows") % {"count": f"{parameters.get('num_rows', 0):,}"}


def summarize(result: Mapping[str, Any]) -> str:
    rows, columns, warnings = result["rows_processed"], len(result["columns"]), len(result["warnings"])
    parts = [
        ngettext("%(count)s row", "%(count)s rows", rows) % {"count": f"{rows:,}"},
        ngettext("%(count)s column", "%(count)s columns", columns) % {"count": f"{columns:,}"},
    ]
    if warnings:
        parts.append(ngettext("%(count)s warning", "%(count)s warnings", warnings) % {"count": f"{warnings:,}"})
    return ", ".join(parts)


@task_type(
    "DATA_PROCESSING",
    label=gettext_lazy("Data processing"),
    description=gettext_lazy("Profile a table: types, distributions, gaps, repeated rows. Saves it cleaned."),
    parameters=Parameters,
    result=Result,
    timeout=timeout_for,
    memory_mb=settings.DUCKDB_MEMORY_MB + SPARE_MEMORY_MB,
    icon="data",
    result_template="tasks/results/data_processing.html",
    make_name=name_for,
    summarize=summarize,
    sample=lambda: {"file": ("sample-orders.csv", sample_csv())},
)
def data_processing(
    context: TaskContext,
    *,
    file: StoredFile | None = None,
    num_rows: int,
    processing_time: float | None = None,
    clean_copy: bool,
    **reading: Any,
) -> dict[str, Any]:
    """Profile a table: types, distributions, gaps, repeated rows. Saves it cleaned."""
    progress = Progress(context, None if file else processing_time)
    with context.temporary_folder() as folder, _full_disk_explained():
        with progress.stage(0, 8, _("Opening")):
            plain = _plain_file(file, num_rows, folder, progress)
        with (
            closing(Database(folder, [plain.path], progress)) as database,
            context.on_interrupt(database.connection.interrupt),
        ):
            found = _found(plain, Options(**reading, in_order=clean_copy), folder, database)
            _save(context, found, database, folder, clean_copy=clean_copy)
    result = result_of(found, progress.elapsed)
    context.log(summarize(result))
    return result


@contextmanager
def _full_disk_explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise Fail(str(FULL_DISK), retry=True) from error
        raise


def _plain_file(file: StoredFile | None, num_rows: int, folder: Path, progress: Progress) -> PlainFile:
    if file:
        return unpacked(file.path, file.name, folder, progress)
    path = folder / "sample.csv"
    write_sample(path, num_rows, progress.part)
    return PlainFile(path, "sample.csv", "text")


def _found(plain: PlainFile, options: Options, folder: Path, database: Database) -> Findings:
    progress, reader = database.progress, Reader(plain, options, folder, database)
    with progress.stage(8, 12, _("Looking at the beginning")):
        source = reader.open()
        progress.context.log(_told(source.format, source.details))
    with progress.stage(12, 55, _("Reading the rows")):
        source, rows = reader.read(source)
        progress.context.log(_("Read %(count)s rows.") % {"count": f"{rows.count:,}"})
    with progress.stage(55, 75, _("Counting and measuring")):
        return findings_of(source, rows, database)


def _told(kind: str, details: Mapping[str, str]) -> str:
    return ", ".join([kind, *(f"{name.replace('_', ' ')}: {value}" for name, value in details.items())])


def _save(context: TaskContext, found: Findings, database: Database, folder: Path, *, clean_copy: bool) -> None:
    outputs = Outputs(context, found.source, found.rows, database, folder)
    with database.progress.stage(75, 100, _("Saving")):
        if clean_copy:
            found.warnings += outputs.save_rows(found.repeated)
        outputs.save_set_aside()
        outputs.save_profile(profile_of(found))
    for warning in found.warnings:
        context.log(warning, "warning")
