"""Duties by the clock: promote what is due, bury dead clusters, clear away what nobody names any more."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from tasks import files, lifecycle
from tasks.engine import host
from tasks.engine.store import Store
from tasks.engine.store.reports import forget_unpublished
from tasks.models import Cluster, Task

log = logging.getLogger("tasks.engine.upkeep")

PRUNE_STEP = 20  # tasks, with all their lines and items


@dataclass
class Duty:
    """Something to do every so many seconds."""

    every: float
    do: Callable[[], object]
    due: float = 0.0

    def turn(self, now: float) -> None:
        if now >= self.due:
            self.due = now + self.every
            self.do()


# What other parts of TaskHub want done by the clock: apps.py adds it.
further_duties: list[Duty] = []


def prune(budget: float = 0.1) -> int:
    """Delete tasks that ended more than TASKHUB_KEEP_DAYS ago, for about `budget` seconds. Gives how many.

    In short steps: nobody else writes to SQLite meanwhile, and our workers wait for their sentinel.
    """
    if not settings.KEEP_DAYS:
        return 0
    limit_at = timezone.now() - timedelta(days=settings.KEEP_DAYS)
    old = Task.objects.filter(completed_at__lt=limit_at, claim=None).order_by("completed_at")[:PRUNE_STEP]
    deadline, gone = time.monotonic() + budget, 0
    while step := lifecycle.delete_ended(old):
        gone += step
        if time.monotonic() > deadline:
            break
    return gone


def forget_sessions() -> None:
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()


class Reaper:
    """Finds clusters that are dead, and frees what they held.

    Of this host, a cluster is dead when its lock file can be taken: then its sentinel and all its workers are gone.
    Of another host, or where that file is not in our data folder, when its lease has run out; and only after this
    cluster has itself renewed without a break for one LEASE: a restarted database would otherwise make everybody bury
    everybody.
    """

    def __init__(self, store: Store, cluster: str) -> None:
        self.store, self.cluster = store, cluster
        self.steady_since = time.monotonic()
        self.orphans_since: dict[int, float] = {}

    def renewed(self, *, broken: bool) -> None:
        if broken:
            self.steady_since = time.monotonic()

    def reap(self) -> int:
        """Bury every dead cluster. Gives the number of tasks that were freed."""
        freed = self._adopt_orphans()
        strangers = []
        for cluster in Cluster.objects.exclude(pk=self.cluster):
            if shares_locks(cluster):
                freed += self._bury_if_locked_by_nobody(cluster)
            else:
                strangers.append(cluster.pk)
        if strangers and time.monotonic() - self.steady_since >= settings.LEASE:
            for cluster in self.store.expired().filter(pk__in=strangers):
                freed += self._bury(cluster, "with its host, or cut off from the database", self.store.expired())
        return freed

    def _bury_if_locked_by_nobody(self, cluster: Cluster) -> int:
        with taken_over(cluster.pk) as dead:
            if not dead:
                return 0
            _kill_leftovers(cluster)
            host.forget_folders(cluster.pk)
            freed = self._bury(cluster, "with its whole cluster", Cluster.objects.all())
            lock_path(cluster.pk).unlink(missing_ok=True)
            lock_path(cluster.pk).with_suffix(".sock").unlink(missing_ok=True)
            return freed

    def _bury(self, cluster: Cluster, why: str, dead: QuerySet[Cluster]) -> int:
        freed = self.store.bury(cluster, why, dead)
        log.warning("Cluster %s is dead; %d of its tasks were freed.", cluster, freed)
        return freed

    def _adopt_orphans(self) -> int:
        """Free what no cluster holds. Not at once: whoever was taken for dead has a LEASE to notice, and to stop."""
        now = time.monotonic()
        orphans = self.store.orphans().values_list("claim", flat=True)
        self.orphans_since = {claim: self.orphans_since.get(claim, now) for claim in orphans if claim}
        left = [claim for claim, since in self.orphans_since.items() if now - since >= settings.LEASE]
        if not left:
            return 0
        with transaction.atomic():
            return self.store.release(self.store.orphans().filter(claim__in=left), (), "with its whole cluster")


def shares_locks(cluster: Cluster) -> bool:
    """Whether it is of this host, and its lock in this data folder."""
    same_host = connection.vendor == "sqlite" or cluster.host == host.identity()
    return same_host and lock_path(cluster.pk).exists()


def lock_path(cluster: str) -> Path:
    return settings.DATA_DIR / "clusters" / f"{cluster}.lock"


@contextmanager
def taken_over(cluster: str) -> Iterator[bool]:
    """Whether the cluster's lock could be taken, which is then held for the block."""
    try:
        descriptor = os.open(lock_path(cluster), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False  # whoever buried it was faster
        return
    try:
        yield host.try_lock(descriptor)
    finally:
        os.close(descriptor)


def _kill_leftovers(cluster: Cluster) -> None:
    """Kill what handlers of its dead workers had started: it lives in the workers' process groups."""
    groups = {worker.get("pid") for worker in cluster.workers}
    for pid in host.processes():
        with suppress(OSError):
            if os.getpgid(pid) in groups and host.carries(pid, cluster.pk):
                os.kill(pid, signal.SIGKILL)


# Each a duty of its own, with its seconds: one that fails keeps no other from being done.
CLEARING: tuple[tuple[float, Callable[[], object]], ...] = (
    (60.0, forget_unpublished),
    (60.0, files.forget_strays),
    (2.0, prune),
    (3600.0, forget_sessions),
)
