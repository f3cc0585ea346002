"""Help for tests of task types: run a handler in the test's own process, and see what was submitted."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import UploadedFile

from tasks import registry
from tasks.context import Fail, ItemRecord, TaskContext, TaskInterrupted
from tasks.engine.inline import run_ready
from tasks.files import Content, content_type_of
from tasks.models import Task
from tasks.parameters import FileParameter, FilesParameter, StoredFile


@dataclass
class MemoryRecorder:
    """A Recorder that keeps everything in lists. `interrupt_after` stops the handler at its n-th report.

    `stop` is what the handler named to be called when it is to stop.
    """

    progresses: list[tuple[float | None, str | None]] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    records: dict[str, ItemRecord] = field(default_factory=dict)
    checkpoints: list[Any] = field(default_factory=list)
    flushes: int = 0
    interrupt_after: int | None = None
    reports: int = 0
    held: bool = False
    stop: Callable[[], object] | None = None

    def checkpoint_now(self) -> None:
        self.reports += 1
        if self.interrupt_after is not None and self.reports > self.interrupt_after and not self.held:
            raise TaskInterrupted

    def progress(self, percent: float | None, message: str | None) -> None:
        self.checkpoint_now()
        self.progresses.append((percent, message))

    def log(self, level: str, message: str) -> None:
        self.checkpoint_now()
        self.lines.extend((level, line) for line in message.splitlines() or [""])

    def save_file(self, name: str, content: Content) -> uuid.UUID:
        self.checkpoint_now()
        if isinstance(content, str):
            content = content.encode()
        elif isinstance(content, Path):
            content = content.read_bytes()
        elif not isinstance(content, bytes):
            content = content.read()
        self.files[name] = content
        return uuid.uuid4()

    def save_checkpoint(self, data: Any) -> None:
        self.checkpoints.append(data)

    def items(self) -> dict[str, ItemRecord]:
        return self.records

    def add_items(self, records: list[ItemRecord]) -> None:
        self.records |= {record.key: record for record in records}

    def save_item(self, record: ItemRecord) -> None:
        self.checkpoint_now()

    def flush(self) -> None:
        self.checkpoint_now()
        self.flushes += 1

    def on_interrupt(self, stop: Callable[[], object] | None) -> None:
        self.stop = stop


@dataclass
class HandlerRun:
    """What came of `run_handler`: the result, or the sentence it failed with, and everything it reported."""

    result: Any
    failed: str | None
    recorder: MemoryRecorder

    @property
    def files(self) -> dict[str, bytes]:
        """The contents of the saved files by name."""
        return self.recorder.files

    @property
    def log(self) -> list[str]:
        return [message for _, message in self.recorder.lines]

    @property
    def items(self) -> dict[str, str]:
        """The state of each item by key."""
        return {key: record.state for key, record in self.recorder.records.items()}


def run_handler(
    task_type: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    recorder: MemoryRecorder | None = None,
    restored: Any = None,
    attempt: int = 1,
    retry_items: Iterable[str] = (),
) -> HandlerRun:
    """Validate the parameters and run the handler here and now, without a database row.

    A file parameter takes a Path, or a pair of a name and its bytes. The `recorder` of an earlier run lets this one
    resume that one's items; with `retry_items` it is a retry of just the items that the recorder holds.
    Raises ValidationError for parameters that a submit would refuse, and whatever the handler raises but Fail, whose
    sentence is `failed`.
    """
    kind = registry.get(task_type)
    recorder = recorder or MemoryRecorder()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        given = {name: _given(kind, name, value, folder) for name, value in (parameters or {}).items()}
        validated = kind.validate(given)
        for name in kind.file_parameters.keys() & validated.keys():
            validated[name] = _received(validated[name], folder)
        context = TaskContext(uuid.uuid4(), recorder, attempt, restored, frozenset(retry_items))
        try:
            return HandlerRun(kind.handler(context, **validated), None, recorder)
        except Fail as failure:
            return HandlerRun(None, str(failure), recorder)


def _given(kind: registry.TaskType, name: str, value: Any, folder: Path) -> Any:
    parameter = kind.file_parameters.get(name)
    if isinstance(parameter, FilesParameter):
        return [_stored(one, folder) for one in value]
    return _stored(value, folder) if isinstance(parameter, FileParameter) else value


def _received(value: Any, folder: Path) -> Any:
    """What a parameter made an upload of, as a submit stores it."""
    if isinstance(value, UploadedFile):
        return _stored((value.name or "file", value.read()), folder)
    return value


def _stored(value: Any, folder: Path) -> Any:
    file_id = uuid.uuid4()
    if isinstance(value, Path):
        return StoredFile(file_id, value.name, value, value.stat().st_size, content_type_of(value.name))
    if not isinstance(value, tuple):
        return value
    name, content = value
    path = folder / f"{file_id}{Path(name).suffix}"
    path.write_bytes(content)
    return StoredFile(file_id, name, path, len(content), content_type_of(name))


def assert_submitted(task_type: str, parameters: Mapping[str, Any] | None = None) -> Task:
    """The newest task of this type, with at least these parameters. Raises AssertionError where there is none."""
    tasks = list(Task.objects.filter(task_type=task_type).newest_first()[:100])
    for task in tasks:
        if (parameters or {}).items() <= task.parameters.items():
            return task
    seen = [task.parameters for task in tasks]
    raise AssertionError(f"No {task_type} task with {parameters} was submitted. Submitted: {seen}")


def drain(limit: int = 1000) -> list[Task]:
    """Run what was submitted and is ready, here and now, as a worker would; gives the tasks as they ended.

    Runs in the test's own process and transaction. What waits for a time, a second attempt too, is left as it is.
    """
    ids = list(run_ready(limit))
    by_id = Task.objects.in_bulk(ids)
    return [by_id[one] for one in ids]
