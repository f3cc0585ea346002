"""What a worker holds and what comes of it: a Claimed row, and the Outcome that ends its claim."""

from __future__ import annotations

import json
import random
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from django.utils import timezone

from tasks.models import TaskAttempt, TaskFile

RESULT_CAP = 4 * 1024 * 1024  # bytes of JSON that a row takes
ERROR_CAP = 10_000  # characters


@dataclass(slots=True)
class Claimed:
    """A row that this worker holds, in the order of CLAIMED_COLUMNS; `id` and JSON as the database gives them.

    `taken` is when, on the monotonic clock.
    """

    id: Any
    claim: int
    task_type: str
    parameters: Any
    parameters_digest: str
    timeout: float | None
    attempts: int
    max_attempts: int
    losses: int
    retry_items: str
    checkpoint: Any
    priority: int
    run_at: Any
    taken: float = field(default_factory=time.monotonic)
    started: bool = False

    @property
    def uuid(self) -> uuid.UUID:
        return self.id if isinstance(self.id, uuid.UUID) else uuid.UUID(self.id)


class Move(Enum):
    """How a claim ends; the names are those of lifecycle.TRANSITIONS."""

    SUCCEED = "succeed"
    FAIL = "fail"
    TRY_AGAIN_LATER = "try again later"
    GIVE_BACK = "give back"
    LET_GO = "let go"


@dataclass(slots=True)
class Outcome:
    """The end of a claim, ready to be written. `result` is JSON text, capped and clean."""

    move: Move
    claimed: Claimed
    began: datetime | None = None
    ended: datetime | None = None
    result: str | None = None
    message: str = ""
    error: str = ""
    traceback: str = ""
    attempt_outcome: str = TaskAttempt.Outcome.FAILED
    run_at: datetime | None = None
    worker: int | None = None  # who ran it, for the attempt that failed
    hostname: str = ""
    run: Any = None  # the pulse's Run, if its handler reported anything


@dataclass(slots=True)
class Report:
    """What a handler reported since the last write: a worker's recorder fills it, the pulse empties it."""

    progress: tuple[float | None, str | None] | None = None
    lines: list[tuple[datetime, str, str]] = field(default_factory=list)
    files: list[TaskFile] = field(default_factory=list)
    new_items: list[Any] = field(default_factory=list)
    items: dict[str, Any] = field(default_factory=dict)
    checkpoint: Any = None
    has_checkpoint: bool = False


def clean_text(text: str) -> str:
    """Text that every database takes: NUL and lone surrogates replaced."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def clean(value: Any) -> Any:
    """A JSON value that every database takes: NaN and infinities null, NUL and lone surrogates replaced."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {clean_text(str(key)): clean(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [clean(one) for one in value]
    return value


def storable(value: Any) -> Any:
    """A copy, clean, of a JSON value. Raises as `to_json`."""
    return value if value is None else json.loads(to_json(value))


def to_json(value: Any) -> str:
    """JSON text of a value, clean. Raises TypeError, ValueError: it is not JSON, or over RESULT_CAP bytes."""
    if type(value) in (int, bool, type(None)):
        return json.dumps(value)
    text = json.dumps(clean(value), allow_nan=False)
    if len(text) > RESULT_CAP:
        raise ValueError(f"It has {len(text):,} bytes of JSON; at most {RESULT_CAP:,} are kept. Save a file.")
    return text


def back_off(base: float, attempts: int) -> datetime:
    """When to try again: `base` seconds after the first failure, doubled each time, at most a day, with jitter."""
    pause = min(base * 2 ** max(0, attempts - 1), 86_400)
    return timezone.now() + timedelta(seconds=pause * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load
