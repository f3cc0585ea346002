"""What the statistics page asks of the roll-ups: how many ended, how long they took and waited, what went wrong."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from django.core.cache import cache
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
class Sum:
    """Roll-ups added up by task type and bar, the first bar being 0; their slowest tasks and their errors."""

    cells: dict[tuple[str, int], Bucket] = field(default_factory=lambda: defaultdict(Bucket))
    slowest: list[list[Any]] = field(default_factory=list)
    errors: dict[str, list[Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: list[Row], start: datetime, bucket: timedelta) -> Sum:
        cells: dict[tuple[str, int], Bucket] = defaultdict(Bucket)
        for row in rows:
            cells[row.task_type, (row.start - start) // bucket].add(row)
        slowest = sorted((one for row in rows for one in row.slowest), reverse=True)
        return cls(cells, slowest[:SLOWEST], most_frequent(row.errors for row in rows))

    def add(self, other: Sum) -> None:
        for place, cell in other.cells.items():
            self.cells[place].add(cell)
        self.slowest = sorted(self.slowest + other.slowest, reverse=True)[:SLOWEST]
        self.errors = most_frequent([self.errors, other.errors])

    @property
    def most_errors(self) -> list[tuple[str, int, datetime]]:
        """Fingerprint, how often, when last."""
        most = list(self.errors.items())[:MOST_ERRORS]
        return [(known, count, datetime.fromisoformat(last)) for known, (count, last) in most]


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
    start = floor_to(now or timezone.now(), chosen.bucket) + chosen.bucket - chosen.length
    rollups = Rollups(owner, task_type)
    found = rollups.sum(chosen.span, start, chosen.length, chosen.bucket)
    buckets = [Bucket(start + number * chosen.bucket) for number in range(chosen.length // chosen.bucket)]
    by_type: dict[str, Bucket] = defaultdict(Bucket)
    for (label, place), cell in found.cells.items():
        by_type[label].add(cell)
        buckets[place].add(cell)
    total = Bucket(start)
    for kind in by_type.values():
        total.add(kind)
    return Answer(
        chosen,
        start,
        buckets,
        total,
        _before(chosen, start, rollups),
        sorted(by_type.items(), key=lambda one: -one[1].finished),
        found.most_errors,
        [(seconds, key) for seconds, key in found.slowest],
    )


def _before(chosen: Range, start: datetime, rollups: Rollups) -> Bucket:
    """The range before, for comparison: what its charts would show is left out."""
    # A week before is told by its days: shifted by some hours, from a twentieth of the rows.
    span = Span.DAY if chosen.length > timedelta(days=1) else chosen.span
    first = floor_to(start - chosen.length, SPAN_LENGTH[Span(span)])
    before = Bucket(first)
    for cell in rollups.sum(span, first, chosen.length, chosen.length).cells.values():
        before.add(cell)
    return before


def floor_to(at: datetime, length: timedelta) -> datetime:
    """The start of the bucket that this moment is in. All in UTC, whose hours and days the rows count."""
    at = at.astimezone(UTC)
    first = at.replace(hour=0, minute=0, second=0, microsecond=0)
    if timedelta(hours=1) < length < timedelta(days=1):
        # From the hour of the local midnight on.
        midnight = timezone.localtime(at, timezone.get_default_timezone()).replace(hour=0, minute=0)
        first = midnight.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return at - (at - first) % length


class Rollups:
    """The rows of everybody's tasks or of one owner's, of all types or of one."""

    def __init__(self, owner: int | None, task_type: str) -> None:
        self.owner = EVERYBODY if owner is None else owner
        self.task_type = task_type
        self.final = RollupCursor.objects.filter(final=True).first()

    def sum(self, span: str, start: datetime, length: timedelta, bucket: timedelta) -> Sum:
        """From `start` on, in bars of `bucket`. What is counted for good is added up once, and then remembered."""

        def read(since: datetime, until: datetime) -> Sum:
            return Sum.of(self._read(span, since, until), start, bucket)

        end = start + length
        final_to = min(max(start, self._final_to(span) or start), end)
        total = Sum()
        if start < final_to:
            seconds = SPAN_LENGTH[Span(span)].total_seconds()  # by then there is more of it
            key = self._key(span, start, final_to, bucket)
            total.add(cast(Sum, cache.get_or_set(key, lambda: read(start, final_to), seconds)))
        if final_to < end:
            total.add(read(final_to, end))
        return total

    def _key(self, *of: Any) -> str:
        cursor = self.final and self.final.pk  # another one begins when all is counted anew
        return f"stats:{hashlib.blake2s(repr((cursor, self.owner, self.task_type, *of)).encode()).hexdigest()}"

    def _read(self, span: str, since: datetime, until: datetime) -> list[Row]:
        """Their JSON is parsed all at once: taken one by one, the calls would take longer than the work."""
        texts = [Cast(name, TextField()) for name in PARSED]
        found = list(self._of(span).filter(start__gte=since, start__lt=until).values_list(*PLAIN, *texts))
        values = iter(json.loads(f"[{','.join(text for row in found for text in row[len(PLAIN) :])}]"))
        return [Row(**dict(zip(PLAIN, row, strict=False)), **{name: next(values) for name in PARSED}) for row in found]

    def _final_to(self, span: str) -> datetime | None:
        """Where the spans end that the final count has passed."""
        counted_to = self.final and self.final.counted_to
        return floor_to(counted_to, SPAN_LENGTH[Span(span)]) if counted_to else None

    def _of(self, span: str) -> QuerySet[Rollup]:
        """The rows to read: the final count of a span that it has passed, else the first one."""
        rows = Rollup.objects.filter(span=span, owner=self.owner)
        if self.task_type:
            rows = rows.filter(task_type=self.task_type)
        final_to = self._final_to(span)
        if final_to is None:
            return rows.filter(final=False)
        return rows.filter(Q(final=True, start__lt=final_to) | Q(final=False, start__gte=final_to))
