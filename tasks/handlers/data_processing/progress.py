"""How far the work is, in stages, and the pace that a client may ask for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.context import TaskContext

NAP = 0.1


class Progress:
    """Reports to a context. With `seconds` the work is stretched: no stage ends before its share of that time."""

    def __init__(self, context: TaskContext, seconds: float | None = None) -> None:
        self.context = context
        self.seconds = seconds
        self.begun = time.monotonic()
        self._start, self._end = 0.0, 100.0
        self._whole = (0.0, 100.0)
        self._reported = 0.0

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.begun

    @contextmanager
    def stage(self, start: float, end: float, message: str) -> Iterator[None]:
        """What runs in this block takes the task from `start` to `end` percent."""
        self._start, self._end = start, end
        self._report(start, message)
        yield
        self._keep_pace(end)
        self._report(end, None)

    def within(self, fraction: float) -> None:
        """So much of the stage is done, from 0 to 1; it never goes back. Also hears whether the task is to stop."""
        span = self._end - self._start
        self._report(self._start + span * min(1.0, max(0.0, fraction)), None)

    def heard(self) -> None:
        """Raises TaskInterrupted where the task is to stop."""
        self._report(self._reported, None)

    def begin_part(self, number: int, total: int) -> None:
        """What follows is one of `total` equal parts of the stage, counted from 0."""
        if number == 0:
            self._whole = (self._start, self._end)
        start, end = self._whole
        self._start = start + (end - start) * number / total
        self._end = start + (end - start) * (number + 1) / total

    def part(self, done: int, total: int) -> None:
        self.within(done / total if total else 0)

    def _report(self, percent: float, message: str | None) -> None:
        self._reported = max(self._reported, percent)
        self.context.progress(self._reported, message)

    def _keep_pace(self, end: float) -> None:
        while self.seconds and (left := self.seconds * end / 100 - self.elapsed) > 0:
            self.context.progress(min(end, max(self._reported, 100 * self.elapsed / self.seconds)))
            time.sleep(min(NAP, left))
