"""Takes tasks for one worker: its queues take turns, and of fast types some are taken ahead."""

from __future__ import annotations

import time
from collections.abc import Sequence

from django.utils import timezone

from tasks.engine.outcome import Claimed
from tasks.engine.store import Store

AHEAD = 0.05  # seconds' worth of fast tasks to hold
AHEAD_MOST = 200  # tasks
QUEUES_EVERY = 1.0  # seconds between looks at which queues are open, while they give tasks
FEW = 8  # queues that are asked whether they have anything or not: of more, only those that have
ROUND_MOST = 50  # queues in one round: on SQLite nobody else writes meanwhile


class Claimer:
    """Claims for the worker `pid` of a cluster. Used by its pulse alone."""

    def __init__(self, store: Store, cluster: str, pid: int) -> None:
        self.store, self.cluster, self.pid = store, cluster, pid
        self.ahead = 1  # how many fast tasks are AHEAD seconds' worth
        self.queues: list[str] = []
        self.queues_read = float("-inf")
        self.turn = 0
        self.rate_since, self.rate_count = time.monotonic(), 0

    def claim(self, fast: Sequence[str], one: bool) -> list[Claimed]:
        """The next tasks of these fast types; with `one`, at least the very first, whatever its type.

        A list of queues that gave nothing is read anew before the last word: one may have been opened meanwhile.
        """
        fresh = time.monotonic() - self.queues_read > QUEUES_EVERY
        if fresh:
            self._read_queues()
        claimed = self._round(fast, one)
        if claimed or fresh:
            return claimed
        return self._round(fast, one) if self._read_queues() else []

    def count(self, ended: int) -> None:
        """Learn from the number of tasks that ended how many are AHEAD seconds' worth."""
        self.rate_count += ended
        spent = time.monotonic() - self.rate_since
        if spent > AHEAD:
            self.ahead = max(1, min(AHEAD_MOST, int(self.rate_count / spent * AHEAD)))
            self.rate_since, self.rate_count = time.monotonic(), 0

    def _read_queues(self) -> bool:
        """Whether another round over the queues as they are now may give something."""
        former, self.queues = self.queues, self.store.open_queues(FEW + 1)
        many = len(self.queues) > FEW
        if many:
            self.queues = self.store.ready_queues()
        self.queues_read = time.monotonic()
        return many or self.queues != former

    def _round(self, fast: Sequence[str], one: bool) -> list[Claimed]:
        """What the first queue gives that has anything, beginning after the one that gave last."""
        for _ in range(min(len(self.queues), ROUND_MOST)):
            queue = self.queues[self.turn % len(self.queues)]
            self.turn += 1
            if claimed := self._take(queue, fast, one):
                return claimed
        return []

    def _take(self, queue: str, fast: Sequence[str], one: bool) -> list[Claimed]:
        """Claim from one queue. What is not known to be fast is started at once: the main thread waits for it."""
        limit = self.ahead if fast else 1
        claimed = self.store.claim(self.cluster, self.pid, queue, limit, fast, one)
        if claimed and (claimed[0].losses or claimed[0].task_type not in fast):
            claimed[0].started = self.store.start(claimed[0], timezone.now())
        return claimed
