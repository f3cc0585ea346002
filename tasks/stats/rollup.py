"""Counts tasks as they end, each exactly once, in bounded steps.

Tasks are counted in the order of their `completed_at`, from a cursor on, which moves in the transaction that stores the
counts. An outcome may be committed later than its `completed_at` says (its worker waited for the database), behind the
cursor. So all is counted twice: first a moment after it ended, and again, for good, when nothing can come in any more.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Case, Count, F, FloatField, Func, IntegerField, Max, QuerySet, Value, When
from django.db.models.functions import Cast, Floor, Greatest, Left, Ln
from django.utils import timezone

from tasks.models import FINAL, Rollup, RollupCursor, Status, Task
from tasks.stats.bins import BASE, SHORTEST, merged

LAG = {False: timedelta(seconds=2), True: timedelta(minutes=10)}
STEP = 20_000  # tasks in one step
KEPT = {Rollup.Span.MINUTE: timedelta(days=2), Rollup.Span.HOUR: timedelta(days=120)}

UNFINISHED = [status for status in Status if status not in FINAL]

SLOW = 0.1  # seconds; what is faster is no candidate for the slowest
SLOWEST = 5
ERRORS = 20  # fingerprints a row keeps
EVERYBODY = 0

LENGTHS = {Rollup.Span.MINUTE: 60, Rollup.Span.HOUR: 3600, Rollup.Span.DAY: 86_400}  # seconds
GROUP = ("number", "owner_id", "task_type")

Key = tuple[str, datetime, int, str]  # span, start, owner, task type


def roll_up(budget: float = 0.1) -> int:
    """Count what has ended since the last call, for at most about `budget` seconds. Gives how many were counted.

    May be called by anybody at any time, by several at once, and be killed in the middle.
    """
    deadline, counted = time.monotonic() + budget, 0
    # The final count first: where much is to be caught up with, the other one then has a day or two to do.
    for final in (True, False):
        while step := _step(final):
            counted += step
            if time.monotonic() > deadline:
                break  # each has had a step, so that neither waits for ever for the other
    _forget_old()
    return counted


def count_anew() -> None:
    """Forget every count: the next roll-ups begin with the first task that ended."""
    Rollup.objects.all().delete()
    RollupCursor.objects.all().delete()


def _step(final: bool) -> int:
    """One step of one cursor: 1. find its end; 2. count; 3. store counts and cursor, unless somebody was faster."""
    cursor, _made = RollupCursor.objects.get_or_create(final=final)
    now = timezone.now()
    ended = _ended(cursor.counted_to if final else _first_worth(cursor.counted_to), now - LAG[final])
    upto = _last_of_step(ended)
    if upto is None:
        return 0
    spans = [span for span in Rollup.Span if span not in KEPT or upto >= now - KEPT[span]]
    tallies = _count(ended.filter(completed_at__lte=upto), spans)
    if not tallies:  # they were deleted meanwhile
        return 0
    with transaction.atomic():
        mine = RollupCursor.objects.filter(final=final, counted_to=cursor.counted_to)
        if not mine.update(counted_to=upto):
            return 0
        _add(tallies, final)
    return sum(tally.count for key, tally in tallies.items() if key[0] == Rollup.Span.DAY and key[2] == EVERYBODY)


def _first_worth(counted_to: datetime | None) -> datetime | None:
    """Where the first count goes on: what the final one told of whole days before is read from that one alone."""
    final = RollupCursor.objects.filter(final=True).values_list("counted_to", flat=True).first()
    if final is None:
        return counted_to
    day = final.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(microseconds=1)
    return max(counted_to, day) if counted_to else day


def _ended(after: datetime | None, until: datetime) -> QuerySet[Task]:
    # Not "status in …": SQLite would take the index on the status, and walk all tasks for each step.
    ended = Task.objects.filter(completed_at__lte=until).exclude(status__in=UNFINISHED).order_by()
    return ended.filter(completed_at__gt=after) if after else ended


def _last_of_step(ended: QuerySet[Task]) -> datetime | None:
    times = ended.order_by("completed_at").values_list("completed_at", flat=True)
    return times[STEP - 1 : STEP].first() or ended.aggregate(last=Max("completed_at"))["last"]


# --- counting


class Seconds(Func):
    """From one time to another."""

    output_field = FloatField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        # Two calls of C, where Django's own difference is one of Python for each row.
        return self.as_sql(
            compiler, connection, template="((julianday(%(expressions)s)) * 86400.0)", arg_joiner=") - julianday("
        )

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(
            compiler, connection, template="EXTRACT(EPOCH FROM %(expressions)s)::float8", arg_joiner=" - "
        )


class NumberOf(Func):
    """How many minutes, hours or days of UTC had passed since 1970."""

    output_field = IntegerField()

    def __init__(self, at: Any, seconds: int) -> None:
        super().__init__(at, seconds=seconds)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "(CAST(strftime('%%%%s', %(expressions)s) AS INTEGER) / %(seconds)s)"
        return self.as_sql(compiler, connection, template=template)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "FLOOR(EXTRACT(EPOCH FROM %(expressions)s) / %(seconds)s)::int8"
        return self.as_sql(compiler, connection, template=template)


def _bin(seconds: Any) -> Case:
    """The bin of tasks/stats/bins.py that a time falls in; null for what never started."""
    steps = Floor(Ln(Greatest(seconds, Value(SHORTEST)) / Value(SHORTEST)) / Value(BASE)) + Value(1.0)
    return Case(When(started_at__isnull=False, then=Cast(steps, IntegerField())))


@dataclass
class Tally:
    """What a row of counts gets added."""

    outcomes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    durations: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    waits: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    longest_wait: float = 0.0
    slowest: list[list[Any]] = field(default_factory=list)
    errors: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return sum(self.outcomes.values())


class _Places:
    """The rows that a task counts in, by the shortest of the spans: each span, its owner's and everybody's."""

    def __init__(self, spans: list[Rollup.Span]) -> None:
        self.spans = spans
        self.seconds = LENGTHS[spans[0]]

    def of(self, number: int, owner: int | None, task_type: str) -> Iterator[Key]:
        at = number * self.seconds
        for span in self.spans:
            start = datetime.fromtimestamp(at - at % LENGTHS[span], UTC)
            yield span, start, EVERYBODY, task_type
            if owner:
                yield span, start, owner, task_type


def _count(ended: QuerySet[Task], spans: list[Rollup.Span]) -> dict[Key, Tally]:
    tallies: dict[Key, Tally] = defaultdict(Tally)
    places = _Places(spans)
    at = ended.annotate(number=NumberOf(F("completed_at"), places.seconds))
    _count_outcomes(at, places, tallies)
    _count_waits(at, places, tallies)
    _collect_slowest(at, places, tallies)
    _collect_errors(at, places, tallies)
    return tallies


def _count_outcomes(ended: QuerySet[Task], places: _Places, tallies: dict[Key, Tally]) -> None:
    ran = _bin(Seconds(F("completed_at"), F("started_at")))
    groups = ended.annotate(ran=ran).values_list(*GROUP, "status", "ran").annotate(count=Count("pk"))
    for *place, status, ran_bin, count in groups:
        for key in places.of(*place):
            tallies[key].outcomes[status] += count
            if ran_bin is not None:  # it was started
                tallies[key].durations[str(ran_bin)] += count


def _count_waits(ended: QuerySet[Task], places: _Places, tallies: dict[Key, Tally]) -> None:
    # Apart from the durations: pairs of both would be nearly as many as tasks.
    waited = Seconds(F("started_at"), Greatest("created_at", "run_at"))
    groups = (
        ended.filter(started_at__isnull=False)
        .annotate(wait=_bin(waited), waited=waited)
        .values_list(*GROUP, "wait")
        .annotate(count=Count("pk"), longest=Max("waited"))
    )
    for *place, wait_bin, count, longest in groups:
        for key in places.of(*place):
            tallies[key].waits[str(wait_bin)] += count
            tallies[key].longest_wait = max(tallies[key].longest_wait, longest)


def _collect_slowest(ended: QuerySet[Task], places: _Places, tallies: dict[Key, Tally]) -> None:
    slow = ended.annotate(ran=Seconds(F("completed_at"), F("started_at"))).filter(ran__gte=SLOW).order_by("-ran")
    for *place, ran, task_id in slow.values_list(*GROUP, "ran", "pk")[:500]:
        for key in places.of(*place):
            if len(tallies[key].slowest) < SLOWEST:
                tallies[key].slowest.append([round(ran, 3), str(task_id)])


def _collect_errors(ended: QuerySet[Task], places: _Places, tallies: dict[Key, Tally]) -> None:
    others = [status for status in Status if status != Status.FAILED]  # as in _ended: not "status = …"
    failed = ended.exclude(status__in=others).annotate(message=Left("error_message", 200))
    groups = failed.values_list(*GROUP, "message").annotate(count=Count("pk"), last=Max("completed_at"))
    for *place, message, count, last in groups.order_by("-count")[:1000]:
        known = fingerprint(message or "")
        for key in places.of(*place):
            errors = tallies[key].errors
            before = errors.get(known, [0, ""])
            errors[known] = [before[0] + count, max(before[1], last.isoformat())]


# What tells one failure from the next of the same kind: numbers, ids, names in quotes, paths.
VARIABLE = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b|[“\"'][^“”\"'\n]{1,80}[”\"']|(?<!\w)/[\w./-]+|\S+@\S+|\b0x[0-9a-f]+\b"
    r"|\d+(?:[.,:]\d+)*",
    re.IGNORECASE,
)


def fingerprint(message: str) -> str:
    """What failures of one kind have in common: "Line …: … fields where the header has …"."""
    lines = message.strip().splitlines()
    return VARIABLE.sub("…", lines[0])[:160] if lines else ""


def most_frequent(many: Iterable[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    """Errors added up, the frequent ones kept."""
    total: dict[str, list[Any]] = {}
    for errors in many:
        for known, (count, last) in errors.items():
            before = total.get(known, [0, ""])
            total[known] = [before[0] + count, max(before[1], last)]
    return dict(sorted(total.items(), key=lambda one: -one[1][0])[:ERRORS])


# --- storing


def _add(tallies: dict[Key, Tally], final: bool) -> None:
    spans, starts, owners, _types = map(set, zip(*tallies, strict=True))
    rows = Rollup.objects.select_for_update().filter(final=final, span__in=spans, start__in=starts, owner__in=owners)
    known = {(row.span, row.start, row.owner, row.task_type): row for row in rows}
    fresh = []
    for key, tally in tallies.items():
        row = known.get(key)
        if row is None:
            row = Rollup(span=key[0], start=key[1], owner=key[2], task_type=key[3], final=final)
            fresh.append(row)
        _add_to(row, tally)
    Rollup.objects.bulk_create(fresh, batch_size=500)
    changed = [row for key, row in known.items() if key in tallies]
    fields = ["succeeded", "failed", "cancelled", "durations", "waits", "longest_wait", "slowest", "errors"]
    Rollup.objects.bulk_update(changed, fields, batch_size=200)


def _add_to(row: Rollup, tally: Tally) -> None:
    row.succeeded += tally.outcomes[Status.SUCCESS]
    row.failed += tally.outcomes[Status.FAILED]
    row.cancelled += tally.outcomes[Status.CANCELLED]
    row.durations = merged([row.durations, tally.durations])
    row.waits = merged([row.waits, tally.waits])
    row.longest_wait = max(row.longest_wait, tally.longest_wait)
    row.slowest = sorted([*row.slowest, *tally.slowest], reverse=True)[:SLOWEST]
    row.errors = most_frequent([row.errors, tally.errors])


def _forget_old() -> None:
    """Old minutes and hours go: days stay. First counts go when the final ones have passed them."""
    now = timezone.now()
    for span, kept in KEPT.items():
        Rollup.objects.filter(span=span, start__lt=now - kept).delete()
    counted_to = RollupCursor.objects.filter(final=True).values_list("counted_to", flat=True).first()
    if counted_to:
        # A day's first count is needed until the final one has passed its end.
        Rollup.objects.filter(final=False, start__lt=counted_to - timedelta(days=2)).delete()
