"""Requests that wait for a task to end, without each of them asking the database."""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from tasks.engine.bell import Bell
from tasks.engine.ends import Ends, get_ends
from tasks.models import FINAL, Task

AWAY_AGAIN = 1.0  # seconds between tries while the database is away


class Waiters:
    """Whoever waits, by task. While anybody does, one thread looks for all of them with one query, when told to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[uuid.UUID, set[threading.Event]] = defaultdict(set)
        self._newcomers = False  # they may have ended before they were waited for
        self._thread: threading.Thread | None = None
        self._bell: Bell | None = None  # made in the process that uses it: no two share a pipe

    def wait(self, task_id: uuid.UUID, seconds: float) -> None:
        """Return once the task has ended or is gone, or the time is up."""
        with self._place(task_id) as ended:
            ended.wait(seconds)

    @contextmanager
    def _place(self, task_id: uuid.UUID) -> Iterator[threading.Event]:
        ended = threading.Event()
        with self._lock:
            self._waiting[task_id].add(ended)
            self._newcomers = True
            bell = self._bell = self._bell or Bell()
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, args=[bell], name="waiters", daemon=True)
                self._thread.start()
        bell.ring()
        try:
            yield ended
        finally:
            with self._lock:
                self._waiting[task_id].discard(ended)
                if not self._waiting[task_id]:
                    del self._waiting[task_id]
            bell.ring()

    def _look(self, bell: Bell) -> None:
        ends: Ends | None = None
        try:
            while self._anybody():
                try:
                    ends = ends or get_ends()
                    if ends.may_be() or self._newcomers:
                        self._tell(self._ended())
                    ends.wait(bell)
                except (DatabaseError, InterfaceError):
                    ends = None
                    connection.close()
                    bell.wait(AWAY_AGAIN)
        finally:
            connection.close()

    def _anybody(self) -> bool:
        with self._lock:
            if not self._waiting:
                self._thread = None
            return bool(self._waiting)

    def _ended(self) -> set[uuid.UUID]:
        with self._lock:
            wanted, self._newcomers = list(self._waiting), False
        going_on = Task.objects.filter(pk__in=wanted).exclude(status__in=FINAL)
        return set(wanted) - set(going_on.values_list("pk", flat=True))

    def _tell(self, ended: set[uuid.UUID]) -> None:
        with self._lock:
            for task_id in ended:
                for event in self._waiting.get(task_id, ()):
                    event.set()


waiters = Waiters()
# Half of the threads at most: the others go on answering.
places = threading.BoundedSemaphore(max(1, settings.WEB_THREADS // 2))


def wait_for_end(task: Task, seconds: float) -> None:
    """Wait until the task has ended, at most this long; not at all where too many wait already."""
    if seconds <= 0 or task.is_final or not places.acquire(blocking=False):
        return
    try:
        waiters.wait(task.pk, seconds)
    finally:
        places.release()
    task.refresh_from_db()
