from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.context import Fail, TaskContext, TaskInterrupted
from tasks.handlers.data_processing.database import Database
from tasks.handlers.data_processing.progress import Progress
from tasks.testing import MemoryRecorder

ENDLESS = "SELECT sum(sqrt(i)) FROM range(1_000_000_000_000) AS numbers(i)"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    given = tmp_path / "given" / "table.csv"
    given.parent.mkdir()
    given.write_text("a\n1\n")
    (tmp_path / "work").mkdir()
    opened = Database(tmp_path / "work", [given], Progress(TaskContext(uuid.uuid4(), MemoryRecorder())))
    yield opened
    opened.close()


def test_an_interrupt_in_the_middle_of_a_statement_stops_it_and_frees_the_connection(database):
    def interrupt(*_args: object) -> None:
        raise TaskInterrupted

    former = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    begun = time.monotonic()
    try:
        with pytest.raises(TaskInterrupted):
            database.run(ENDLESS)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert time.monotonic() - begun < 5
    assert database.one("SELECT 42") == (42,)


def test_progress_is_reported_while_a_statement_runs(database, tmp_path):
    recorder = database.progress.context.recorder
    with database.progress.stage(20, 40, "Reading"):
        database.copy("SELECT i, hash(i) FROM range(3_000_000) AS n(i)", tmp_path / "work" / "x.csv", "FORMAT csv")
    percents = [percent for percent, _ in recorder.progresses if percent is not None]
    assert (percents[0], percents[-1]) == (20, 40)
    assert all(20 <= percent <= 40 for percent in percents)


def test_it_reads_the_files_it_was_given_and_no_others(database, tmp_path):
    import duckdb

    given = tmp_path / "given"
    assert database.run(f"FROM read_csv('{given}/table.csv')") == [(1,)]
    (given / "other.csv").write_text("a\n1\n")
    for path in (given / "other.csv", Path("/etc/passwd")):
        with pytest.raises(duckdb.PermissionException):
            database.run(f"FROM read_text('{path}')")
    with pytest.raises(duckdb.PermissionException):
        database.run(f"COPY (SELECT 1) TO '{given}/new.csv'")


@pytest.mark.parametrize(
    "statement",
    [
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "INSTALL httpfs",
        "LOAD excel",
        "FROM 'https://example.org/x.csv'",
        "ATTACH '/tmp/x.db'",
    ],
)
def test_nothing_in_a_statement_can_widen_its_limits_or_load_an_extension(database, statement):
    import duckdb

    with pytest.raises(duckdb.Error):
        database.run(statement)


def test_what_needs_too_much_memory_fails_with_the_setting_to_change(database):
    with pytest.raises(Fail, match="TASKHUB_DUCKDB_MEMORY"):
        database.run("SELECT list(i || repeat('x', 1000)) FROM range(2_000_000) AS n(i)")
