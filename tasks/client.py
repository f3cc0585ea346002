"""A client for TaskHub's API; it needs httpx and nothing else of this repository.

with TaskHub("http://127.0.0.1:8000") as hub:
    task = hub.submit("DATA_PROCESSING", files={"file": Path("sales.csv")})
    task = hub.wait(task, show=sys.stderr)
    for file in hub.files(task):
        hub.download(file, Path("results"))
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TextIO, TypeVar

import httpx

Status = Literal["PENDING", "RUNNING", "SUCCESS", "FAILED", "CANCELLED"]
FINAL = frozenset({"SUCCESS", "FAILED", "CANCELLED"})
Files = Mapping[str, str | Path | Iterable[str | Path]]
LONGEST_WAIT = 30  # seconds in one request
PAUSE = 1.0  # seconds between requests to a hub that does not wait


class TaskHubError(Exception):
    """What the hub refused: `status` of HTTP (0: none), its sentence, and with 422 the faults field by field."""

    def __init__(self, status: int, detail: str, errors: Any = None) -> None:
        super().__init__(f"{status}: {detail}" if status else detail)
        self.status, self.detail, self.errors = status, detail, errors


class TaskFailed(TaskHubError):
    """A task that was waited for did not succeed."""

    def __init__(self, task: Task) -> None:
        super().__init__(0, f"{task.name or task.task_type} is {task.status}. {task.error_message or ''}".strip())
        self.task = task


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@dataclass(frozen=True)
class Task:
    """A task as the hub last told it; `raw` has every field."""

    id: str
    task_type: str
    status: Status
    progress: float
    name: str = ""
    progress_message: str = ""
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    result_data: Any = None
    error_message: str | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_final(self) -> bool:
        return self.status in FINAL


@dataclass(frozen=True)
class LogLine:
    seq: int
    at: datetime
    level: str
    message: str


@dataclass(frozen=True)
class File:
    id: str
    name: str
    kind: Literal["input", "output"]
    size: int
    content_type: str
    url: str


Row = TypeVar("Row", Task, LogLine, File)


def _row(kind: type[Row], data: dict[str, Any]) -> Row:
    """The dataclass from what it knows of the JSON; what the hub may add later does no harm."""
    known = {one.name: data[one.name] for one in fields(kind) if one.name in data}
    for name in {"created_at", "started_at", "completed_at", "at"} & known.keys():
        known[name] = _moment(known[name])
    return kind(**known, raw=data) if kind is Task else kind(**known)  # type: ignore[call-arg]


class TaskHub:
    """The hub at this address. In login mode it needs a token (page “API tokens”); in local mode none."""

    def __init__(
        self, address: str = "http://127.0.0.1:8000", token: str | None = None, *, timeout: float = 30
    ) -> None:
        headers = {"Authorization": f"Token {token}"} if token else {}
        limits = httpx.Timeout(timeout, read=timeout + LONGEST_WAIT)
        self._http = httpx.Client(base_url=address.rstrip("/"), headers=headers, timeout=limits)

    def __enter__(self) -> TaskHub:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """The answer. Raises TaskHubError for a refusal, httpx's errors where there is no answer."""
        answer = self._http.request(method, path, **more)
        if answer.is_success:
            return answer
        try:
            problem = answer.json()
        except ValueError:
            problem = {}
        raise TaskHubError(answer.status_code, problem.get("detail", answer.reason_phrase), problem.get("errors"))

    def _pages(self, path: str, kind: type[Row], **query: Any) -> Iterator[Row]:
        answer = self._ask("GET", path, params={name: value for name, value in query.items() if value is not None})
        while True:
            yield from (_row(kind, data) for data in answer.json())
            following = answer.links.get("next")
            if following is None:
                return
            answer = self._ask("GET", following["url"])

    # --- tasks

    def submit(
        self,
        task_type: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        files: Files | None = None,
        key: str | None = None,
        **options: Any,
    ) -> Task:
        """A new task. `files` are paths by parameter; with the same `key` a repeated call gives the same task.

        `options`: name, queue, priority, run_at, max_attempts.
        """
        options = {name: _plain(value) for name, value in options.items() if value is not None}
        headers = {"Idempotency-Key": key} if key else {}
        if not files:
            body = {"task_type": task_type, "parameters": dict(parameters or {}), **options}
            return _row(Task, self._ask("POST", "/api/tasks/submit", json=body, headers=headers).json())
        form = {"task_type": task_type, "parameters": json.dumps(dict(parameters or {})), **options}
        with ExitStack() as stack:
            parts = [
                (name, (path.name, stack.enter_context(path.open("rb"))))
                for name, paths in files.items()
                for path in map(Path, [paths] if isinstance(paths, str | Path) else paths)
            ]
            return _row(Task, self._ask("POST", "/api/tasks/submit", data=form, files=parts, headers=headers).json())

    def submit_many(self, tasks: Iterable[Mapping[str, Any]]) -> list[str]:
        """The ids of up to 10,000 new tasks, all of them or none; each a mapping as `submit` would send it."""
        body = [dict(task) for task in tasks]
        return self._ask("POST", "/api/tasks/bulk-submit", json=body).json()["ids"]

    def get(self, task: Task | str) -> Task:
        return _row(Task, self._ask("GET", f"/api/tasks/{_id(task)}").json())

    def tasks(self, *, limit: int | None = None, **filters: Any) -> Iterator[Task]:
        """Tasks, newest first, page after page; `filters`: status, task_type, queue, owner, since, q."""
        found = self._pages("/api/tasks/", Task, limit=min(limit or 200, 1000), **filters)
        for number, task in enumerate(found):
            if limit is not None and number >= limit:
                return
            yield task

    def wait(self, task: Task | str, *, timeout: float | None = None, show: TextIO | None = None) -> Task:
        """The task once it has succeeded; `show` draws its progress on a terminal.

        Raises TaskFailed if it ends otherwise, TimeoutError after `timeout` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        bar = Bar(show) if show else None
        while True:
            left = LONGEST_WAIT if deadline is None else max(0.0, deadline - time.monotonic())
            wait = int(min(left, 1 if bar else LONGEST_WAIT)) + (0 < left < 1)
            asked_at = time.monotonic()
            now = _row(Task, self._ask("GET", f"/api/tasks/{_id(task)}", params={"wait": wait}).json())
            if bar:
                bar.draw(now)
            if now.is_final:
                break
            if not left:
                raise TimeoutError(f"{now.name or now.id} is still {now.status} after {timeout} s.")
            # Where too many wait, the hub answers at once: then the waiting is done here.
            if time.monotonic() - asked_at < wait / 2:
                time.sleep(min(left, PAUSE))
        if now.status != "SUCCESS":
            raise TaskFailed(now)
        return now

    def cancel(self, task: Task | str) -> None:
        self._ask("DELETE", f"/api/tasks/{_id(task)}")

    def retry(self, task: Task | str, *, items: str | None = None) -> Task:
        """A new task like a failed or cancelled one; `items="failed"` does just those items again."""
        return _row(Task, self._ask("POST", f"/api/tasks/{_id(task)}/retry", json={"items": items}).json())

    def delete(self, task: Task | str) -> None:
        self._ask("POST", f"/api/tasks/{_id(task)}/delete")

    # --- what belongs to a task

    def log(self, task: Task | str, *, after: int = 0) -> Iterator[LogLine]:
        return self._pages(f"/api/tasks/{_id(task)}/log", LogLine, after=after)

    def files(self, task: Task | str) -> list[File]:
        return [_row(File, data) for data in self._ask("GET", f"/api/tasks/{_id(task)}/files").json()]

    def download(self, file: File, folder: Path) -> Path:
        """The file in this folder, under its own name; one that was there is replaced once all of the new one has come."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / Path(file.name).name
        part = path.with_name(f"{path.name}.part")
        with self._http.stream("GET", file.url) as answer:
            if not answer.is_success:
                raise TaskHubError(answer.status_code, answer.reason_phrase)
            with part.open("wb") as target:
                for chunk in answer.iter_bytes():
                    target.write(chunk)
        return part.replace(path)

    def task_types(self) -> dict[str, dict[str, Any]]:
        """The JSON Schema of each task type's parameters, by name."""
        return {kind["name"]: kind["parameters"] for kind in self._ask("GET", "/api/task-types").json()}


def _id(task: Task | str) -> str:
    return task if isinstance(task, str) else task.id


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


class Bar:
    """A task's progress as one line of a terminal, drawn over itself; elsewhere each step has a line."""

    WIDTH = 30

    def __init__(self, terminal: TextIO) -> None:
        self.terminal, self.last = terminal, ""

    def draw(self, task: Task) -> None:
        filled = round(self.WIDTH * task.progress / 100)
        bar = "█" * filled + "░" * (self.WIDTH - filled)
        # A terminal would obey what a message holds of controls.
        message = "".join(sign if sign.isprintable() else " " for sign in task.progress_message)
        line = f"{task.status:9} {bar} {task.progress:3.0f} %  {message}".rstrip()
        if line == self.last:
            return
        over = "\r\x1b[K" if self.terminal.isatty() else ""
        self.terminal.write(f"{over}{line}{'' if over and not task.is_final else chr(10)}")
        self.terminal.flush()
        self.last = line
