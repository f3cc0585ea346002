"""Made-up tasks that have ended, for a look at a full hub and for measuring: the same for the same seed."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from django.db import connection, transaction

from tasks import registry
from tasks.management import demo_results
from tasks.models import Status, Task

DAYS = 30
BATCH = 10_000
# So many of the newest have a whole result. Older ones have its figures: a million whole ones would be gigabytes.
WHOLE = 10_000


class Kind(NamedTuple):
    """How demo tasks of one type look: their share, names, typical seconds, results and errors.

    `success` and `figures` are the summary and the result of an old one, `result` makes those of a new one.
    """

    task_type: str
    share: float
    names: tuple[str, ...]
    seconds: float
    success: str
    figures: dict[str, Any]
    result: Callable[[str, float, Random], dict[str, Any]]
    errors: tuple[str, ...]


KINDS = (
    Kind(
        "DATA_PROCESSING", 0.55,
        ("orders-{n}.csv", "customers-{n}.csv", "returns-{n}.csv", "stock-{n}.parquet", "prices-{n}.xlsx"), 6.0,
        "{a} rows, {b} columns", {"rows_processed": 0, "total_sum": 0.0, "average": 0.0},
        demo_results.data_processing,
        ("Line {a}: 11 fields where the header has 9", "{name} is no table: it is a PNG image"),
    ),
    Kind(
        "IMAGE_PROCESSING", 0.25, ("Product photos {n}", "Banner variants {n}", "Team photos {n}", "Archive {n}"), 11.0,
        "{b} images, {b} MB saved", {"total_images": 0, "processed_successfully": 0},
        demo_results.image_processing,
        ("Not an image: photo-{n}.jpg", "photo-{n}.png has 144 megapixels; at most 100 are taken"),
    ),
    Kind(
        "EMAIL_SIMULATION", 0.15, ("Price change preview {n}", "Invitation preview {n}"), 8.0,
        "{b} messages in the outbox", {"total_emails": 0, "sent_successfully": 0}, demo_results.email_simulation,
        ("Timed out after 600 s",),
    ),
    Kind(
        "EMAIL_CAMPAIGN", 0.05, ("Newsletter {n}", "Maintenance notice {n}"), 60.0,
        "{a} sent, {b} failed", {"total_emails": 0, "sent_successfully": 0}, demo_results.email_campaign,
        ("The mail server did not answer within 30 s",),
    ),
)  # fmt: skip
OUTCOMES = (Status.SUCCESS, Status.FAILED, Status.CANCELLED)
WEIGHTS = (94, 4, 2)
QUEUES = ("default", "default", "default", "images", "mail")

COLUMNS = (
    "id", "task_type", "name", "status", "queue", "priority", "owner_id", "parameters", "parameters_digest", "timeout",
    "progress", "progress_message", "result_data", "error_message", "created_at", "run_at", "started_at", "completed_at",
    "waits_for", "attempts", "max_attempts", "losses", "max_losses", "retry_items", "version",
)  # fmt: skip


def rows(count: int, seed: int, now: datetime, owner_id: int | None) -> Iterator[tuple[Any, ...]]:
    """The columns' values of `count` tasks, oldest first, spread over the last days as days go."""
    chance = Random(seed)  # noqa: S311 - a demo, the same each time
    shares = [kind.share for kind in KINDS]
    step = timedelta(days=DAYS) / max(1, count)
    for number in range(count):
        created = now - timedelta(days=DAYS) + step * number - timedelta(minutes=10)
        [kind] = chance.choices(KINDS, shares)
        yield _row(kind, chance, created, owner_id, whole=number >= count - WHOLE)


def _row(kind: Kind, chance: Random, created: datetime, owner_id: int | None, *, whole: bool) -> tuple[Any, ...]:
    [status] = chance.choices(OUTCOMES, WEIGHTS)
    waited, ran = chance.expovariate(1 / 1.5), min(chance.lognormvariate(0, 0.7) * kind.seconds, 500.0)
    started = created + timedelta(seconds=min(waited, 60))
    words = {"n": chance.randrange(10_000), "a": chance.randrange(100, 200_000), "b": chance.randrange(2, 200)}
    is_good, is_bad = status == Status.SUCCESS, status == Status.FAILED
    progress = 100.0 if is_good else float(chance.randrange(100))
    name = chance.choice(kind.names).format(**words)
    message, result = _success(kind, chance, words, name, ran if whole else None) if is_good else ("", None)
    error = chance.choice(kind.errors).format(**words, name=name) if is_bad else None
    return (
        _id(created, chance), kind.task_type, name, status.value,
        chance.choice(QUEUES), 0, owner_id, "{}", "", 3600.0,
        progress, message, json.dumps(result) if result else None, error,
        created, created, started, started + timedelta(seconds=ran),
        "", int(is_good or is_bad), 1, 0, 5, "", 2,
    )  # fmt: skip


def _success(
    kind: Kind, chance: Random, words: dict[str, int], name: str, seconds: float | None
) -> tuple[str, dict[str, Any]]:
    """The summary and the result; the whole one of a task that took so many seconds."""
    if seconds is None:
        return kind.success.format(**words), kind.figures
    result = kind.result(name, seconds, chance)
    summarize = registry.get(kind.task_type).summarize
    return summarize(result) if summarize else "", result


def _id(at: datetime, chance: Random) -> uuid.UUID:
    """A UUIDv7 of that moment (RFC 9562, section 5.7)."""
    value = int(at.timestamp() * 1000) << 80 | 0x7 << 76 | chance.getrandbits(12) << 64 | 0b10 << 62
    return uuid.UUID(int=value | chance.getrandbits(62))


def insert(many: Iterator[tuple[Any, ...]]) -> None:
    """By the database's own way for many rows."""
    if connection.vendor == "postgresql":
        _copy(many)
    else:
        _insert_many(many)


def _names() -> str:
    return ", ".join(f'"{column}"' for column in COLUMNS)


def _copy(many: Iterator[tuple[Any, ...]]) -> None:
    statement = f"COPY {Task._meta.db_table} ({_names()}) FROM STDIN"
    with transaction.atomic(), connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in many:
            copy.write_row(row)


def _insert_many(many: Iterator[tuple[Any, ...]]) -> None:
    places = ", ".join(["%s"] * len(COLUMNS))
    # S608: table and columns are our own.
    statement = f"INSERT INTO {Task._meta.db_table} ({_names()}) VALUES ({places})"  # noqa: S608
    with connection.cursor() as cursor:
        for batch in _batches(many):
            with transaction.atomic():
                cursor.executemany(statement, [tuple(map(_for_sqlite, row)) for row in batch])


def _batches(many: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    batch: list[tuple[Any, ...]] = []
    for row in many:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _for_sqlite(value: Any) -> Any:
    """As Django's SQLite backend stores it."""
    if isinstance(value, uuid.UUID):
        return value.hex
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(" ", "microseconds")[:26]
    return value
