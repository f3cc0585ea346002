"""What the statistics page asks of the roll-ups: how many ended, how long they took and waited, what went wrong."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from tasks.models import Rollup, RollupCursor
from tasks.stats.bins import add_bins, percentile
from tasks.stats.rollup import EVERYBODY, SLOWEST, most_frequent

Span = Rollup.Span
MOST_ERRORS = 8

# Of a roll-up's columns, those that are read.
PLAIN = ("start", "task_type", "succeeded", "failed", "cancelled", "longest_wait")
PARSED = ("durations", "waits", "slowest", "errors")


@dataclass(frozen=True)
class Range:
    """A period to look at: whose rows it reads, and how long one bar of its charts is."""

    name: str
    length: timedelta
    span: str
    bucket: timedelta


RANGES = {
    one.name: one
    for one in (
        Range("1h", timedelta(hours=1), Span.MINUTE, timedelta(minutes=2)),
        Range("24h", timedelta(hours=24), Span.HOUR, timedelta(hours=1)),
        Range("7d", timedelta(days=7), Span.HOUR, timedelta(hours=6)),
        Range("30d", timedelta(days=30), Span.DAY, timedelta(days=1)),
    )
}
SPAN_LENGTH = {Span.MINUTE: timedelta(minutes=1), Span.HOUR: timedelta(hours=1), Span.DAY: timedelta(days=1)}


@dataclass
class Bucket:
    """Roll-ups added up: of one bar, of one type, or of all."""

    start: datetime | None = None
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    durations: dict[str, int] = field(default_factory=dict)
    waits: dict[str, int] = field(default_factory=dict)
    longest_wait: float | None = None

    def add(self, other: Bucket) -> None:
        self.succeeded += other.succeeded
        self.failed += other.failed
        self.cancelled += other.cancelled
        add_bins(self.durations, other.durations)
        add_bins(self.waits, other.waits)
        if other.longest_wait is not None:
            self.longest_wait = max(self.longest_wait or 0.0, other.longest_wait)

    @property
    def finished(self) -> int:
        return self.succeeded + self.failed + self.cancelled

    @property
    def success_rate(self) -> float | None:
        """Of those that were not cancelled, in per cent."""
        judged = self.succeeded + self.failed
        return 100 * self.succeeded / judged if judged else None

    @property
    def p50(self) -> float | None:
        return percentile(self.durations, 0.5)

    @property
    def p95(self) -> float | None:
        return percentile(self.durations, 0.95)

    @property
    def wait_p50(self) -> float | None:
        return percentile(self.waits, 0.5)

    @property
    def wait_p95(self) -> float | None:
        return percentile(self.waits, 0.95)


@dataclass
class Row(Bucket):
    """What is read of a roll-up."""

    start: datetime
    task_type: str = ""
    slowest: list[list[Any]] = field(default_factory=list)
    errors: dict[str, list[Any]] = field(default_factory=dict)


@dataclass
class Answer:
    """The statistics of a range, and of the one before it."""

    range: Range
    start: datetime
    buckets: list[Bucket]
    total: Bucket
    before: Bucket
    kinds: list[tuple[str, Bucket]]  # by task type, the most frequent first
    errors: list[tuple[str, int, datetime]]  # fingerprint, how often, when last
    slowest: list[tuple[float, str]]  # seconds and id


def answer(name: str, *, owner: int | None = None, task_type: str = "", now: datetime | None = None) -> Answer:
    """The statistics of one of RANGES, of everybody's tasks or of one owner's, of all types or of one."""
    chosen = RANGES[name]
    now = now or timezone.now()
    last = floor_to(now, chosen.bucket)
    start = last + chosen.bucket - chosen.length
    rows = list(_read(_of(chosen.span, owner, task_type).filter(start__gte=start)))
    buckets = [Bucket(start + number * chosen.bucket) for number in range(chosen.length // chosen.bucket)]
    cells: dict[tuple[str, int], Bucket] = defaultdict(Bucket)
    for row in rows:
        cells[row.task_type, (row.start - start) // chosen.bucket].add(row)
    by_type: dict[str, Bucket] = defaultdict(Bucket)
    for (label, place), cell in cells.items():
        by_type[label].add(cell)
        if 0 <= place < len(buckets):
            buckets[place].add(cell)
    total = Bucket(start)
    for kind in by_type.values():
        total.add(kind)
    return Answer(
        chosen,
        start,
        buckets,
        total,
        _before(chosen, start, owner, task_type),
        sorted(by_type.items(), key=lambda one: -one[1].finished),
        _errors(rows),
        _slowest(rows),
    )


def _errors(rows: list[Row]) -> list[tuple[str, int, datetime]]:
    found = most_frequent(row.errors for row in rows)
    return [(known, count, datetime.fromisoformat(last)) for known, (count, last) in list(found.items())[:MOST_ERRORS]]


def _slowest(rows: list[Row]) -> list[tuple[float, str]]:
    found = sorted((one for row in rows for one in row.slowest), reverse=True)
    return [(seconds, key) for seconds, key in found[:SLOWEST]]


def floor_to(at: datetime, length: timedelta) -> datetime:
    """The start of the bucket that this moment is in."""
    midnight = at.astimezone(timezone.get_default_timezone()).replace(hour=0, minute=0, second=0, microsecond=0)
    if length >= timedelta(days=1):
        # Days are counted in UTC: their rows are.
        return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (at - midnight) // length * length


def _before(chosen: Range, start: datetime, owner: int | None, task_type: str) -> Bucket:
    """The range before, for comparison: what its charts would show is left out."""
    # A week before is told by its days: shifted by some hours, from a twentieth of the rows.
    span = Span.DAY if chosen.length > timedelta(days=1) else chosen.span
    first = floor_to(start - chosen.length, SPAN_LENGTH[Span(span)])
    rows = _of(span, owner, task_type).filter(start__gte=first, start__lt=first + chosen.length)
    before = Bucket(first)
    for row in _read(rows, ["durations"]):
        before.add(row)
    return before


def _read(rows: QuerySet[Rollup], parsed: Sequence[str] = PARSED) -> Iterator[Row]:
    """Their JSON is parsed all at once: taken one by one, the calls would take longer than the work."""
    texts = [Cast(name, TextField()) for name in parsed]
    found = list(rows.values_list(*PLAIN, *texts))
    values = iter(json.loads(f"[{','.join(text for row in found for text in row[len(PLAIN) :])}]"))
    for row in found:
        yield Row(**dict(zip(PLAIN, row, strict=False)), **{name: next(values) for name in parsed})


def _of(span: str, owner: int | None, task_type: str) -> QuerySet[Rollup]:
    """The rows to read: the final count of a span that it has passed, else the first one."""
    counted_to = RollupCursor.objects.filter(final=True).values_list("counted_to", flat=True).first()
    whole = floor_to(counted_to, SPAN_LENGTH[Span(span)]) if counted_to else None
    rows = Rollup.objects.filter(span=span, owner=EVERYBODY if owner is None else owner)
    if task_type:
        rows = rows.filter(task_type=task_type)
    if whole is None:
        return rows.filter(final=False)
    return rows.filter(Q(final=True, start__lt=whole) | Q(final=False, start__gte=whole))
