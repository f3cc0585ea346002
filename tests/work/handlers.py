"""Task types that sleep, spin, die and talk, for tests of the engine."""

from __future__ import annotations

import ctypes
import hashlib
import itertools
import logging
import os
import signal
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from rest_framework import serializers

from tasks.context import Fail, TaskContext
from tasks.registry import task_type as task_type_of_any_kind

task_type = partial(task_type_of_any_kind, hidden=True)


class Seconds(serializers.Serializer[Any]):
    seconds = serializers.FloatField(default=0.0)
    mark = serializers.CharField(default="", allow_blank=True, help_text="A file that gets a line for each start.")


def leave_mark(mark: str, word: str = "start") -> None:
    """Add a line to the file: what ran, in which process, when. Short appends are not mixed."""
    if mark:
        with Path(mark).open("a") as file:
            file.write(f"{word} {os.getpid()} {time.monotonic():.3f}\n")


@task_type("SLEEP", label="Sleep", parameters=Seconds)
def sleep(context: TaskContext, *, seconds: float, mark: str) -> float:
    leave_mark(mark)
    time.sleep(seconds)
    leave_mark(mark, "end")
    return seconds


@task_type("SLEEP_HALF_A_SECOND_AT_MOST", label="Sleep with a timeout", parameters=Seconds, timeout=0.5)
def sleep_with_timeout(context: TaskContext, *, seconds: float, mark: str) -> float:
    leave_mark(mark)
    time.sleep(seconds)
    return seconds


@task_type("SLEEP_TWO_SECONDS_AT_MOST", label="Sleep with a longer timeout", parameters=Seconds, timeout=2)
def sleep_with_longer_timeout(context: TaskContext, *, seconds: float, mark: str) -> float:
    time.sleep(seconds)
    return seconds


@task_type("SPIN", label="Spin", parameters=Seconds)
def spin(context: TaskContext, *, seconds: float, mark: str) -> int:
    """A busy loop that swallows every Exception."""
    leave_mark(mark)
    end, turns = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        try:
            turns += 1
        except Exception:  # noqa: BLE001 - that is what it is for
            continue
    return turns


@task_type("C_CALL", label="C call that lets go of the interpreter lock", parameters=Seconds)
def c_call(context: TaskContext, *, seconds: float, mark: str) -> str:
    leave_mark(mark)
    return hashlib.pbkdf2_hmac("sha256", b"x", b"y", int(seconds * 1_500_000)).hex()


@task_type("C_CALL_HOLDING_THE_LOCK", label="C call that holds the interpreter lock", parameters=Seconds)
def c_call_holding_the_lock(context: TaskContext, *, seconds: float, mark: str) -> int:
    leave_mark(mark)
    result = sum(itertools.repeat(1, int(seconds * 60_000_000)))
    leave_mark(mark, "end")
    return result


@task_type("DUCKDB_QUERY", label="A long query", parameters=Seconds)
def duckdb_query(context: TaskContext, *, seconds: float, mark: str) -> int:
    import duckdb

    leave_mark(mark)
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    with context.on_interrupt(connection.interrupt):
        rows = int(seconds * 30_000)
        query = f"SELECT count(*) FROM range({rows}) a, range({rows}) b WHERE (a.range * b.range) % 7 = 3"
        [count] = connection.execute(query).fetchone() or [0]
    return count


@task_type("CHILD_PROCESS", label="A process of its own", parameters=Seconds)
def child_process(context: TaskContext, *, seconds: float, mark: str) -> int:
    leave_mark(mark)
    return subprocess.run(["sleep", str(seconds)], check=False).returncode


class Death(serializers.Serializer[Any]):
    how = serializers.ChoiceField(["SIGKILL", "SIGSEGV", "exit", "memory"])


@task_type("DIE", label="Die", parameters=Death, memory_mb=100)
def die(context: TaskContext, *, how: str) -> None:
    """Take the worker's process down."""
    if how == "SIGKILL":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "SIGSEGV":
        ctypes.string_at(0)
    elif how == "memory":
        hoard = []
        while True:
            hoard.append(b"x" * 10_000_000)
            time.sleep(0.02)
    os._exit(3)


class Size(serializers.Serializer[Any]):
    megabytes = serializers.IntegerField()


hoard: list[bytes] = []


@task_type("GROW", label="Grow", parameters=Size)
def grow(context: TaskContext, *, megabytes: int) -> int:
    """Make the worker's process larger for good."""
    hoard.append(b"x" * megabytes * 1024 * 1024)
    return len(hoard)


class Failing(serializers.Serializer[Any]):
    times = serializers.IntegerField(default=1_000)
    retry = serializers.BooleanField(default=True)


@task_type("FAIL", label="Fail", parameters=Failing, backoff=0.1)
def fail(context: TaskContext, *, times: int, retry: bool) -> int:
    """Fail so many times, then succeed."""
    if context.attempt <= times:
        raise Fail(f"Attempt {context.attempt} went wrong.", retry=retry)
    return context.attempt


class Hostile(Exception):
    """Says nothing: not even that."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


@task_type("RAISE_HOSTILE", label="Raise what cannot be told")
def raise_hostile(context: TaskContext) -> None:
    raise Hostile


@task_type("RAISE", label="Raise")
def raise_anything(context: TaskContext) -> None:
    raise KeyError("nothing\0 here \ud800")


@task_type("EXIT", label="sys.exit")
def leave(context: TaskContext) -> None:
    raise SystemExit(4)


class Given(serializers.Serializer[Any]):
    what = serializers.ChoiceField(["nan", "nul", "surrogate", "object", "huge", "deep", "plain", "hostile"])


@task_type("GIVE", label="Give", parameters=Given)
def give(context: TaskContext, *, what: str) -> Any:
    """Give a result that not every database takes."""
    deep: list[Any] = []
    if what == "deep":
        for _ in range(100_000):
            deep = [deep]
    return {
        "nan": [float("nan"), float("inf"), 1.5],
        "nul": "a\0b",
        "surrogate": "a\ud800b",
        "object": object(),
        "huge": "x" * 5_000_000 if what == "huge" else "",
        "deep": deep,
        "plain": {"a": [1, None, True]},
        "hostile": {Hostile(): 1},
    }[what]


class Talk(serializers.Serializer[Any]):
    lines = serializers.IntegerField(default=20_000)


@task_type("TALK", label="Talk", parameters=Talk)
def talk(context: TaskContext, *, lines: int) -> int:
    """Report without end, by the context and by Python's logging."""
    logging.getLogger("somebody's library").warning("from a library")
    for number in range(lines):
        context.progress(100 * number / lines, f"line {number}")
        context.log(f"line {number}")
    return lines


@task_type("SAVE", label="Save", max_attempts=2, backoff=0.1)
def save(context: TaskContext) -> str:
    """Save a file in each of two tries; the first one fails."""
    context.save_file("out.txt", f"attempt {context.attempt}")
    context.checkpoint({"attempt": context.attempt})
    if context.attempt == 1:
        raise Fail("Once more.", retry=True)
    return f"restored {context.restored}"


class Telling(serializers.Serializer[Any]):
    how = serializers.ChoiceField(["checkpoint", "detail", "logging"])


@task_type("TELL_UNFIT", label="Tell what cannot be stored", parameters=Telling)
def tell_unfit(context: TaskContext, *, how: str) -> str:
    if how == "checkpoint":
        context.checkpoint({1, 2})
    elif how == "detail":
        for item in context.items(["a"]):
            item.done(detail=object())
    else:
        logging.getLogger("somebody's library").warning("%d", "no number")
    return "unharmed"


@task_type("HOLD_TRANSACTION", label="Hold a transaction", parameters=Seconds)
def hold_transaction(context: TaskContext, *, seconds: float, mark: str) -> float:
    """Keep everybody else on SQLite from writing."""
    with transaction.atomic():
        leave_mark(mark)
        time.sleep(seconds)
    return seconds


class Asking(serializers.Serializer[Any]):
    cut = serializers.BooleanField(default=False)


@task_type("ASK_DATABASE", label="Ask the database", parameters=Asking)
def ask_database(context: TaskContext, *, cut: bool) -> int:
    """Ask over the handler's own connection; or have the server (PostgreSQL) cut it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())" if cut else "SELECT 1")
        return cursor.fetchone()[0]


class Items(serializers.Serializer[Any]):
    count = serializers.IntegerField(default=10)
    mark = serializers.CharField(default="", allow_blank=True)
    die_at = serializers.IntegerField(default=-1)


@task_type("ITEMS", label="Items", parameters=Items)
def items(context: TaskContext, *, count: int, mark: str, die_at: int) -> dict[str, int]:
    """Work through items, each with certainty; the process dies at one of them, the first time."""
    for item in context.items([f"item {number}" for number in range(count)]):
        item.commit()
        leave_mark(mark, item.key.replace(" ", "-"))
        if item.position == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        item.done()
    states = [record.state for record in context.records]
    return {state: states.count(state) for state in sorted(set(states))}
