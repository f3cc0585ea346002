"""Know when tasks may have ended, without asking the table.

SQLite: its own change counter says whether anything was written at all. PostgreSQL: a trigger tells of statements that
change a status (migration 0004), but only while somebody holds LISTENING, shared: a NOTIFY makes each commit wait for
the one before it, and nobody should pay that for ends that nobody waits for. A message may be lost; the caller looks
once in a while all the same.
"""

from __future__ import annotations

import time
from typing import Protocol

from django.db import connection

from tasks.engine.bell import Bell

CHANNEL = "taskhub_ends"
LISTENING = 7881697064  # an advisory lock; the trigger names it too
COUNTER_EVERY = 0.15  # seconds between looks at the change counter
REST = 0.15  # seconds from a message until we listen again: however much ends, it is told no oftener
SETTLED = 0.1  # seconds after which whatever was about to be committed as we began to listen has been
LOST = 5.0  # seconds after which a lost message is made up for


class Ends(Protocol):
    """Used by one thread alone, over its own connection. Where that breaks, make another."""

    def may_be(self) -> bool:
        """Whether something may have ended since this was asked last. To be asked before the table is."""

    def wait(self, bell: Bell) -> None:
        """Return when it is time to ask again."""


class CountedEnds:
    """SQLite: whatever another connection has committed may be an end (PRAGMA data_version)."""

    def __init__(self) -> None:
        self._seen: int | None = None

    def may_be(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA data_version")
            [version] = cursor.fetchone()
        changed, self._seen = version != self._seen, version
        return changed

    def wait(self, bell: Bell) -> None:
        bell.wait(COUNTER_EVERY)


class ToldEnds:
    """PostgreSQL: listens, is told once, and rests before it listens again. Each step calls for a look."""

    def __init__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        self._listening = False
        self._until = 0.0  # when the rest is over, or the next look is due

    def may_be(self) -> bool:
        if not self._listening and time.monotonic() >= self._until:
            self._lock("pg_advisory_lock_shared")
            self._listening, self._until = True, time.monotonic() + SETTLED
        return True

    def wait(self, bell: Bell) -> None:
        if not self._listening:
            bell.wait(self._left())
            return
        told = self._told()  # a message may have come along with an answer
        if not told:
            bell.wait(self._left(), connection.connection.fileno())
            told = self._told()
        if told:
            self._lock("pg_advisory_unlock_shared")
            self._listening, self._until = False, time.monotonic() + REST
        elif not self._left():
            self._until = time.monotonic() + LOST

    def _left(self) -> float:
        return max(0.0, self._until - time.monotonic())

    def _told(self) -> bool:
        with connection.wrap_database_errors:
            return bool(list(connection.connection.notifies(timeout=0)))

    def _lock(self, function: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {function}(%s)", [LISTENING])


def get_ends() -> Ends:
    """How this thread knows of ends in the configured database."""
    return ToldEnds() if connection.vendor == "postgresql" else CountedEnds()
