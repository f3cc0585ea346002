"""What the statistics page asks of the roll-ups: how many ended, how long they took and waited, what went wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from django.db.models import Q, QuerySet
from django.utils import timezone

from tasks.models import Rollup, RollupCursor
from tasks.stats.bins import merged, percentile
from tasks.stats.rollup import EVERYBODY, SLOWEST, most_frequent

Span = Rollup.Span


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
    """Rows taken together: of one bar, of one type, or of all."""

    start: datetime | None = None
    rows: list[Rollup] = field(default_factory=list)

    @cached_property
    def succeeded(self) -> int:
        return sum(row.succeeded for row in self.rows)

    @cached_property
    def failed(self) -> int:
        return sum(row.failed for row in self.rows)

    @cached_property
    def cancelled(self) -> int:
        return sum(row.cancelled for row in self.rows)

    @property
    def finished(self) -> int:
        return self.succeeded + self.failed + self.cancelled

    @property
    def success_rate(self) -> float | None:
        """Of those that were not cancelled, in per cent."""
        judged = self.succeeded + self.failed
        return 100 * self.succeeded / judged if judged else None

    @cached_property
    def durations(self) -> dict[str, int]:
        return merged(row.durations for row in self.rows)

    @cached_property
    def waits(self) -> dict[str, int]:
        return merged(row.waits for row in self.rows)

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

    @property
    def longest_wait(self) -> float | None:
        return max((row.longest_wait for row in self.rows), default=None)


@dataclass
class Answer:
    """The statistics of a range, and of the one before it."""

    range: Range
    start: datetime
    buckets: list[Bucket]
    total: Bucket
    before: Bucket

    @property
    def kinds(self) -> list[tuple[str, Bucket]]:
        """By task type, the most frequent first."""
        by_type: dict[str, Bucket] = {}
        for row in self.total.rows:
            by_type.setdefault(row.task_type, Bucket()).rows.append(row)
        return sorted(by_type.items(), key=lambda one: -one[1].finished)

    @property
    def errors(self) -> list[tuple[str, int, datetime]]:
        found = most_frequent(row.errors for row in self.total.rows)
        return [(known, count, datetime.fromisoformat(last)) for known, (count, last) in list(found.items())[:8]]

    @property
    def slowest(self) -> list[tuple[float, str]]:
        """Seconds and id of the slowest tasks."""
        found = sorted((one for row in self.total.rows for one in row.slowest), reverse=True)
        return [(seconds, key) for seconds, key in found[:SLOWEST]]


def answer(name: str, *, owner: int | None = None, task_type: str = "", now: datetime | None = None) -> Answer:
    """The statistics of one of RANGES, of everybody's tasks or of one owner's, of all types or of one."""
    chosen = RANGES[name]
    now = now or timezone.now()
    last = floor_to(now, chosen.bucket)
    start = last + chosen.bucket - chosen.length
    rows = _rows(chosen, start, owner, task_type)
    count = chosen.length // chosen.bucket
    buckets = [Bucket(start + number * chosen.bucket) for number in range(count)]
    for row in rows:
        if 0 <= (place := (row.start - start) // chosen.bucket) < count:
            buckets[place].rows.append(row)
    return Answer(chosen, start, buckets, Bucket(start, rows), _before(chosen, start, owner, task_type))


def floor_to(at: datetime, length: timedelta) -> datetime:
    """The start of the bucket that this moment is in."""
    midnight = at.astimezone(timezone.get_default_timezone()).replace(hour=0, minute=0, second=0, microsecond=0)
    if length >= timedelta(days=1):
        # Days are counted in UTC: their rows are.
        return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (at - midnight) // length * length


def _rows(chosen: Range, start: datetime, owner: int | None, task_type: str) -> list[Rollup]:
    return list(_of(chosen.span, owner, task_type).filter(start__gte=start))


def _before(chosen: Range, start: datetime, owner: int | None, task_type: str) -> Bucket:
    """The range before, for comparison: what its charts would show is left out."""
    # A week before is told by its days: shifted by some hours, from a twentieth of the rows.
    span = Span.DAY if chosen.length > timedelta(days=1) else chosen.span
    first = floor_to(start - chosen.length, SPAN_LENGTH[Span(span)])
    rows = _of(span, owner, task_type).filter(start__gte=first, start__lt=first + chosen.length)
    return Bucket(first, list(rows.defer("waits", "slowest", "errors")))


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
