"""What a handler may do while it runs, and Recorder, the protocol of whoever records it."""

from __future__ import annotations

import hashlib
import itertools
import logging
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from django.conf import settings

from tasks.files import Content
from tasks.models import TaskItem

T = TypeVar("T")
State = TaskItem.State

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
LONGEST_KEY = 200  # characters


class TaskInterrupted(BaseException):
    """The task is to stop: cancelled, out of time, or the cluster shuts down.

    Not an Exception, so that a handler's `except Exception` does not keep it alive.
    """


class Fail(Exception):
    """Ends a task with a sentence for people. `retry=False`: for good, whatever attempts are left."""

    def __init__(self, sentence: str, *, retry: bool = False) -> None:
        super().__init__(sentence)
        self.retry = retry


@dataclass
class ItemRecord:
    """An item as it is stored: `claim`ed by nobody but its task."""

    position: int
    key: str
    state: str = State.PENDING
    detail: Any = None
    error: str = ""


def stored_key(key: str) -> str:
    """What an item is known by: a key that is too long is told by a hash from those that begin like it."""
    if len(key) <= LONGEST_KEY:
        return key
    digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:16]
    return f"{key[: LONGEST_KEY - len(digest) - 1]}~{digest}"


class Recorder(Protocol):
    """Whoever records what a handler reports: the worker's pulse, or a list in a test.

    Each method may raise TaskInterrupted, but not while it is `held`: then a step is under way that must not be cut.
    """

    held: bool

    def checkpoint_now(self) -> None:
        """Raise TaskInterrupted if the task is to stop."""

    def progress(self, percent: float | None, message: str | None) -> None: ...

    def log(self, level: str, message: str) -> None: ...

    def save_file(self, name: str, content: Content) -> uuid.UUID: ...

    def save_checkpoint(self, data: Any) -> None: ...

    def items(self) -> dict[str, ItemRecord]:
        """The items this task has already, by key, from an earlier try."""

    def add_items(self, records: list[ItemRecord]) -> None: ...

    def save_item(self, record: ItemRecord) -> None: ...

    def flush(self) -> None:
        """Return once everything recorded so far is stored for good."""

    def on_interrupt(self, stop: Callable[[], object] | None) -> None: ...


class Item(Generic[T]):
    """One item of a task: `value` is what the handler gave for it. Say how it went by `done` or `fail`.

    As a context manager it is done when the block ends, and failed with the error's words when the block raises an
    Exception, which goes no further.
    """

    def __init__(self, value: T, record: ItemRecord, recorder: Recorder) -> None:
        self.value = value
        self._record = record
        self._recorder = recorder

    @property
    def key(self) -> str:
        return self._record.key

    @property
    def position(self) -> int:
        """Its place in the handler's list, from 0."""
        return self._record.position

    @property
    def state(self) -> str:
        return self._record.state

    def begin(self) -> None:
        """It is under way: should the worker die now, it is unknown, not repeated."""
        self._say(State.WORKING)

    def done(self, detail: Any = None) -> None:
        self._say(State.DONE, detail)

    def fail(self, error: str, detail: Any = None) -> None:
        self._say(State.FAILED, detail, error)

    def unknown(self, error: str, detail: Any = None) -> None:
        """Nobody can tell whether it was done: it is never repeated by itself."""
        self._say(State.UNKNOWN, detail, error)

    def postpone(self, reason: str) -> None:
        """It was not done, for this reason, and may be begun again, in this try or the next."""
        self._say(State.PENDING, error=reason)

    def commit(self) -> None:
        """Return once the item's state is stored for good: before and after what must not happen twice."""
        self._recorder.flush()

    def _say(self, state: str, detail: Any = None, error: str = "") -> None:
        self._record.state, self._record.detail, self._record.error = state, detail, error
        self._recorder.save_item(self._record)

    def __enter__(self) -> Item[T]:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> bool:
        if isinstance(error, Exception):
            self.fail(str(error) or type(error).__name__)
            return True
        if error is None and self.state == State.WORKING:
            self.done()
        return False


@dataclass
class TaskContext:
    """What a handler is given beside its parameters. `records` tells of every item so far how it stands."""

    task_id: uuid.UUID
    recorder: Recorder
    attempt: int = 1
    restored: Any = None
    retry_items: frozenset[str] = frozenset()
    logger: logging.Logger = field(default_factory=lambda: logging.getLogger("tasks.handler"))
    records: list[ItemRecord] = field(default_factory=list)
    folders: str = "task-"  # how its temporary folders' names begin

    def progress(self, percent: float | None = None, message: str | None = None) -> None:
        """Say how far the task is: `percent` from 0 to 100, `message` in a few words. May be called without end."""
        if percent is not None:
            percent = min(100.0, max(0.0, float(percent)))
        self.recorder.progress(percent, message)

    def track(self, iterable: Iterable[T], total: int | None = None) -> Iterator[T]:
        """The elements of `iterable`, reporting progress as they are taken. `total` where it has no length."""
        count = total if total is not None else len(iterable)  # type: ignore[arg-type]
        for done, element in enumerate(iterable):
            self.progress(100 * done / count if count else 0)
            yield element
        self.progress(100)

    def log(self, message: str, level: str = "info") -> None:
        """Add lines to the task's log. `level` is debug, info, warning or error."""
        self.recorder.log(level if level in LEVELS else "info", str(message))

    def save_file(self, name: str, content: Content) -> uuid.UUID:
        """Keep a file as an output of the task, under `name` for people. A Path is moved. Gives the file's id.

        It becomes visible with the task's outcome.
        """
        return self.recorder.save_file(name, content)

    def checkpoint(self, data: Any) -> None:
        """Keep `data` (JSON): the next try of this task finds it as `restored`. Also a tidy point to stop at."""
        self.recorder.checkpoint_now()
        self.recorder.save_checkpoint(data)

    @property
    def cancelled(self) -> bool:
        """Whether the task is to stop: for code that must leave by itself. Other methods raise instead."""
        try:
            self.recorder.checkpoint_now()
        except TaskInterrupted:
            return True
        return False

    @contextmanager
    def on_interrupt(self, stop: Callable[[], object]) -> Iterator[None]:
        """Within this block an interrupt also calls `stop`, from another thread: `connection.interrupt` of DuckDB."""
        self.recorder.on_interrupt(stop)
        try:
            yield
        finally:
            self.recorder.on_interrupt(None)

    @contextmanager
    def uninterrupted(self) -> Iterator[None]:
        """Within this block an interrupt waits for its end: for a step that must not be cut in half.

        Keep it short: ten seconds after it was to stop, a worker is killed all the same.
        """
        outer, self.recorder.held = self.recorder.held, True
        try:
            yield
        finally:
            self.recorder.held = outer
        self.recorder.checkpoint_now()

    @contextmanager
    def temporary_folder(self) -> Iterator[Path]:
        """A folder in the data folder, gone after the block."""
        with tempfile.TemporaryDirectory(dir=settings.TEMPORARY_DIR, prefix=self.folders) as folder:
            yield Path(folder)

    def items(self, values: Iterable[T], *, key: Callable[[T], str] = str, begin: bool = True) -> Iterator[Item[T]]:
        """One item a value, known by `key`; what an earlier try of this task has done is left out.

        What was in flight when an earlier try's process died becomes `unknown` and is left out too. An item for which
        the handler says nothing is done when it asks for the next one. Two values of one key are one item.
        With `begin=False` an item stays pending until the handler says `begin`, so that the time before is not unknown.
        """
        values = list(values)
        known = self.recorder.items()
        mine: dict[str, tuple[T, ItemRecord]] = {}
        fresh = []
        # Not the place in this list: on a resume, or of a second list, it may be another item's.
        free = itertools.count(1 + max((record.position for record in (*known.values(), *self.records)), default=-1))
        for value in values:
            name = stored_key(key(value))
            if name in mine or (self.retry_items and name not in known):
                continue
            record = known.get(name)
            if record is None:
                record = ItemRecord(next(free), name)
                fresh.append(record)
            mine[name] = (value, record)
        self.records += [record for _, record in mine.values()]
        if fresh:
            self.recorder.add_items(fresh)
        yield from self._work(mine, begin)

    def _work(self, mine: dict[str, tuple[T, ItemRecord]], begin: bool) -> Iterator[Item[T]]:
        for number, (value, record) in enumerate(mine.values()):
            item = Item(value, record, self.recorder)
            if record.state == State.WORKING:
                item.unknown("The worker stopped while this was under way.")
            if record.state != State.PENDING:
                continue
            self.progress(100 * number / len(mine))
            if begin:
                item.begin()
            yield item
            if item.state == State.WORKING:
                item.done()


def distinct_keys(names: Iterable[str]) -> list[str]:
    """The names as keys of items, each a single time: the second "a.png" becomes "a.png (2)", or whatever is free."""
    numbers: dict[str, int] = {}
    for name in names:
        key = name = name[:180]
        while key in numbers:
            numbers[name] += 1
            key = f"{name} ({numbers[name]})"
        numbers[key] = 1
    return list(numbers)
