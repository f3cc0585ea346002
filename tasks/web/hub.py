"""The hub's state that every page shows: counts by status, whether workers live, which queues are paused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from tasks.models import Cluster, Queue, Status, Task

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

T = TypeVar("T")

# Seconds that counts and states are kept: many watchers ask the database as often as one.
KEPT = 3
# Counting stops here: "10,000+" tells a person as much, and costs the same with a million tasks.
CAP = 10_000


def kept(key: str, find: Callable[[], T], seconds: int = KEPT) -> T:
    """What `find` gives, asked for again only after some seconds."""
    found: T | None = cache.get(key)
    if found is None:
        found = find()
        cache.set(key, found, seconds)
    return found


@dataclass(frozen=True)
class Counts:
    """Tasks by status, each counted up to CAP + 1."""

    by_status: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return min(sum(self.by_status.values()), CAP + 1)

    @property
    def unfinished(self) -> int:
        return self.by_status[Status.PENDING] + self.by_status[Status.RUNNING]

    @property
    def failed(self) -> int:
        return self.by_status[Status.FAILED]


def counts_for(user: User | AnonymousUser) -> Counts:
    return kept(_key(user), lambda: _count(user))


def forget_counts(user: User | AnonymousUser) -> None:
    """After a person's own act: the next page shows what it did."""
    cache.delete(_key(user))


def _key(user: User | AnonymousUser) -> str:
    sees_all = user.is_authenticated and user.has_perm("tasks.view_all_tasks")
    return f"counts:{'all' if sees_all else user.pk}"


def _count(user: User | AnonymousUser) -> Counts:
    """One statement with a bounded count for each status."""
    visible = Task.objects.visible_to(user).order_by()
    if visible.query.is_empty():
        return Counts(dict.fromkeys(Status.values, 0))
    parts = [visible.filter(status=status).values("pk")[: CAP + 1].query.sql_with_params() for status in Status.values]
    # S608: the pieces are the ORM's own SQL.
    columns = ", ".join(f"(SELECT COUNT(*) FROM ({sql}) AS counted)" for sql, _params in parts)  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns}", [value for _sql, params in parts for value in params])
        return Counts(dict(zip(Status.values, cursor.fetchone(), strict=True)))


@dataclass(frozen=True)
class Hub:
    """Whether anybody works, and on which queues nobody does."""

    has_worker: bool
    paused_queues: frozenset[str]


def hub_state() -> Hub:
    return kept("hub", _look)


def _look() -> Hub:
    alive = Cluster.objects.filter(lease_expires_at__gt=timezone.now()).exists()
    paused = Queue.objects.filter(paused_at__isnull=False).values_list("name", flat=True)
    return Hub(alive, frozenset(paused))
