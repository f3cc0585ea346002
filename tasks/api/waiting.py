"""Requests that wait for a task to end, without each of them asking the database."""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import DatabaseError, connection

from tasks.models import FINAL, Task

LOOK_EVERY = 0.15  # seconds


class Waiters:
    """Whoever waits, by task. While anybody does, one thread looks for all of them with one query.

    On SQLite it asks the table only after something was written (PRAGMA data_version).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[uuid.UUID, set[threading.Event]] = defaultdict(set)
        self._thread: threading.Thread | None = None
        self._seen: int | None = None

    def wait(self, task_id: uuid.UUID, seconds: float) -> None:
        """Return once the task has ended or is gone, or the time is up."""
        with self._place(task_id) as ended:
            ended.wait(seconds)

    @contextmanager
    def _place(self, task_id: uuid.UUID) -> Iterator[threading.Event]:
        ended = threading.Event()
        with self._lock:
            self._waiting[task_id].add(ended)
            self._seen = None  # this one may have ended before it was waited for
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="waiters", daemon=True)
                self._thread.start()
        try:
            yield ended
        finally:
            with self._lock:
                self._waiting[task_id].discard(ended)
                if not self._waiting[task_id]:
                    del self._waiting[task_id]

    def _look(self) -> None:
        pause = threading.Event()
        try:
            while wanted := self._wanted():
                self._tell(self._ended(wanted))
                pause.wait(LOOK_EVERY)
        finally:
            connection.close()

    def _wanted(self) -> list[uuid.UUID]:
        with self._lock:
            wanted = list(self._waiting)
            if not wanted:
                self._thread = None
            return wanted

    def _ended(self, wanted: list[uuid.UUID]) -> set[uuid.UUID]:
        try:
            if not self._something_changed():
                return set()
            going_on = Task.objects.filter(pk__in=wanted).exclude(status__in=FINAL)
            return set(wanted) - set(going_on.values_list("pk", flat=True))
        except DatabaseError:
            connection.close()  # it may be back at the next look
            return set()

    def _something_changed(self) -> bool:
        if connection.vendor != "sqlite":
            return True
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA data_version")
            [version] = cursor.fetchone()
        changed, self._seen = version != self._seen, version
        return changed

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
