"""DuckDB as this task type uses it: within limits of memory, threads and files, with progress, and interruptible."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tasks.context import Fail
from tasks.handlers.data_processing.progress import Progress
from tasks.handlers.data_processing.unpacking import SPARE_DISK

if TYPE_CHECKING:
    import duckdb

# DuckDB's limit leaves out what its readers and Python itself hold: measured, a fifth of the whole.
SHARE_OF_MEMORY = 0.8
MEGABYTES_A_THREAD = 128
POLL_SECONDS = 0.1
FULL_DISK = gettext_lazy("The disk is full. Make room, then try again.")


def quoted(text: str | Path) -> str:
    """A string as SQL writes it."""
    return "'" + str(text).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A column's name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


class OutOfMemory(Fail):
    """The statement does not get by with the memory it may use."""


class Query(threading.Thread):
    """A statement on its way: it runs beside the main thread, which reports progress and hears interrupts.

    `over` says when it has let go of the connection. Thread.join would not do: broken off by an interrupt, it takes the
    thread for ended.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any]) -> None:
        super().__init__(daemon=True)
        self.connection = connection
        self.sql = sql
        self.parameters = parameters
        self.rows: list[tuple[Any, ...]] = []
        self.error: Exception | None = None
        self.over = False
        self._ended: SimpleQueue[None] = SimpleQueue()

    def run(self) -> None:
        import duckdb

        try:
            self.rows = self.connection.execute(self.sql, list(self.parameters)).fetchall()
        except (duckdb.Error, RuntimeError) as error:
            self.error = error
        finally:
            self.over = True
            self._ended.put(None)

    def wait(self) -> None:
        """Until it is over, but not for long."""
        with suppress(Empty):
            self._ended.get(timeout=POLL_SECONDS)


class Database:
    """One in-memory database. It reads and writes below `folder` and reads `files`, nothing else of the disk."""

    def __init__(self, folder: Path, files: Sequence[Path], progress: Progress) -> None:
        import duckdb  # not above: the sentinel imports handlers, and a fork after DuckDB was used hangs

        self.progress = progress
        self.folder = folder
        self.one_thread = False
        self.connection = duckdb.connect(config=_limits(folder))
        self._confine(folder, files)

    def _confine(self, folder: Path, files: Sequence[Path]) -> None:
        paths = ", ".join(quoted(path) for path in files)
        for statement in (
            "SET TimeZone = 'UTC'",
            # It would keep a copy of all rows for each sort of aggregate beside a count of different values.
            "SET disabled_optimizers = 'distinct_aggregate_rewrite'",
            "SET enable_progress_bar = true",  # counts; printing is off
            "SET enable_progress_bar_print = false",
            f"SET allowed_directories = [{quoted(f'{folder}/')}]",
            f"SET allowed_paths = [{paths}]",
            "SET enable_external_access = false",
            "SET allowed_configs = ['threads', 'preserve_insertion_order']",
            "SET lock_configuration = true",
        ):
            self.connection.execute(statement)

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a statement. Raises Fail where memory or disk do not suffice, duckdb.Error otherwise."""
        query = Query(self.connection, sql, parameters)
        query.start()
        try:
            while not query.over:
                query.wait()
                self._spare_the_disk()
                self.progress.within(self.connection.query_progress() / 100)
        finally:
            # Again and again: an interrupt that comes before the statement has begun is forgotten.
            while not query.over:
                self.connection.interrupt()
                query.wait()
        if query.error is not None:
            raise _explained(query.error)
        return query.rows

    def _spare_the_disk(self) -> None:
        """A few bytes of Parquet may stand for more rows than any disk holds: nobody else is to be left without room."""
        if shutil.disk_usage(self.folder).free < SPARE_DISK:
            raise Fail(str(FULL_DISK), retry=True)

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...]:
        """The first row of a statement."""
        return self.run(sql, parameters)[0]

    def copy(self, rows: str, path: Path, options: str, *, in_order: bool = True) -> None:
        """Write the rows of a SELECT to a file. Without their order it is quicker, and takes less memory."""
        free = not in_order or self.one_thread  # which keeps the order by itself
        self.run(f"SET preserve_insertion_order = {str(not free).lower()}")
        try:
            self.run(f"COPY ({rows}) TO {quoted(path)} ({options})")
        finally:
            self.connection.execute("SET preserve_insertion_order = true")

    def go_slowly(self) -> None:
        """For very wide tables: each thread holds a vector of every column."""
        self.run("SET threads = 1")
        self.one_thread = True

    def close(self) -> None:
        self.connection.close()


def _limits(folder: Path) -> dict[str, Any]:
    memory = int(settings.DUCKDB_MEMORY_MB * SHARE_OF_MEMORY)
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "memory_limit": f"{memory}MB",
        "threads": max(1, min(processors, memory // MEGABYTES_A_THREAD)),
        "temp_directory": str(folder / "spill"),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }


def _explained(error: Exception) -> Exception:
    import duckdb

    if isinstance(error, duckdb.OutOfMemoryException):
        return OutOfMemory(
            _(
                "The file needs more memory than the %(limit)s MB that TASKHUB_DUCKDB_MEMORY allows. "
                "Raise it, or split the file."
            )
            % {"limit": settings.DUCKDB_MEMORY_MB}
        )
    if isinstance(error, duckdb.IOException) and "no space" in str(error).lower():
        return Fail(str(FULL_DISK), retry=True)
    return error
