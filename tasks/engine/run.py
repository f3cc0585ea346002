"""What a worker's main thread and its pulse share of the task at hand: its Run, and the Requests that wait for writes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from tasks.engine.outcome import Claimed, Report


@dataclass(slots=True, eq=False)
class Run:
    """The task that the main thread is at.

    The main thread appends to the deques; the pulse moves what is there into `report`, which it keeps until it is
    committed. `first_seq` is the number of the report's first log line: should a reply be lost after its COMMIT, the
    same lines are written under the same numbers.
    """

    claimed: Claimed
    began: Any
    since: float
    progress: tuple[float | None, str | None] | None = None
    lines: deque[Any] = field(default_factory=deque)
    files: deque[Any] = field(default_factory=deque)
    new_items: deque[Any] = field(default_factory=deque)
    items: deque[Any] = field(default_factory=deque)
    checkpoint: tuple[Any] | None = None
    dirty: bool = False
    report: Report | None = None
    told: bool = False  # whether anything was ever reported
    reported: float = 0.0
    first_seq: int | None = None
    stop: Callable[[], object] | None = None
    stopped: bool = False
    blamed: bool = False  # its log says already that its handler holds a transaction

    def gather(self) -> Report:
        """Move what was reported into `report`. Called by the pulse."""
        self.told = True
        self.dirty = False  # before the rest: what comes from now on makes it dirty again
        report = self.report = self.report or Report()
        report.progress = self.progress
        if self.checkpoint is not None:
            report.has_checkpoint, report.checkpoint = True, self.checkpoint[0]
        for source, take in (
            (self.lines, report.lines.append),
            (self.files, report.files.append),
            (self.new_items, report.new_items.append),
            (self.items, lambda record: report.items.update({record.key: record})),
        ):
            while source:
                take(source.popleft())
        return report

    def settle(self) -> None:
        """After the commit: the report is stored. Called by the pulse."""
        if self.report is not None and self.first_seq is not None:
            self.first_seq += len(self.report.lines)
        self.report, self.reported = None, time.monotonic()


@dataclass(slots=True)
class Request:
    """Something the main thread waits for: that a task is started, or that everything so far is stored."""

    start: Claimed | None
    began: Any
    reply: SimpleQueue[bool]
