"""Keeps what a handler reports in memory until the pulse writes it. No lock, and but for `items` no database call."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import Count, Sum
from django.db.models.functions import Length
from django.utils import timezone

from tasks import files
from tasks.context import LEVELS, ItemRecord, TaskInterrupted
from tasks.engine.outcome import clean_text, storable
from tasks.engine.run import Run
from tasks.engine.slot import Slot
from tasks.files import Content
from tasks.masking import masked_text
from tasks.models import TaskItem, TaskLogLine

if TYPE_CHECKING:
    from tasks.engine.inline import InlinePulse
    from tasks.engine.pulse import Pulse

LINES_CAP = 10_000
LINES_BYTES_CAP = 2 * 1024 * 1024
LINE_CAP = 4_000  # characters


class WorkerRecorder:
    """The Recorder of a running task. What it is given is made storable here: a handler hears at once what is not."""

    def __init__(self, slot: Slot, pulse: Pulse | InlinePulse, run: Run) -> None:
        self.slot, self.pulse, self.run = slot, pulse, run
        self.held = False
        self.lines = self.bytes = 0
        self.full = False

    def count_former_lines(self) -> None:
        """The caps are a task's, not a try's: what earlier tries have logged counts."""
        former = TaskLogLine.objects.filter(task_id=self.run.claimed.uuid)
        told = former.aggregate(lines=Count("pk"), characters=Sum(Length("message")))
        self.lines, self.bytes = told["lines"], told["characters"] or 0

    def checkpoint_now(self) -> None:
        if not self.held and self.slot.values.interrupt == self.run.claimed.claim:
            raise TaskInterrupted

    def _changed(self) -> None:
        run = self.run
        if not run.dirty:
            run.dirty = True
            self.pulse.wake()

    def progress(self, percent: float | None, message: str | None) -> None:
        self.checkpoint_now()
        former = self.run.progress or (None, None)
        self.run.progress = (
            former[0] if percent is None else percent,
            former[1] if message is None else str(message),
        )
        self._changed()

    def log(self, level: str, message: str) -> None:
        self.checkpoint_now()
        self.add_lines(level, message)

    def add_lines(self, level: str, message: str) -> None:
        """Lines up to the caps; a last line says that there were more."""
        for line in clean_text(masked_text(message)).splitlines() or [""]:
            line = line[:LINE_CAP]
            self.lines += 1
            self.bytes += len(line) if line.isascii() else len(line.encode())
            if self.lines > LINES_CAP or self.bytes > LINES_BYTES_CAP:
                if not self.full:
                    self.full = True
                    said = f"The log is full ({LINES_CAP:,} lines or 2 MB); further lines are left out."
                    self.run.lines.append((timezone.now(), "warning", said))
                break
            self.run.lines.append((timezone.now(), level, line))
        self._changed()

    def save_file(self, name: str, content: Content) -> uuid.UUID:
        self.checkpoint_now()
        claimed = self.run.claimed
        row = files.save_output(claimed.uuid, clean_text(name), content, claim=claimed.claim)
        self.run.files.append(row)
        self._changed()
        return row.id

    def save_checkpoint(self, data: Any) -> None:
        self.run.checkpoint = (storable(data),)
        self._changed()

    def items(self) -> dict[str, ItemRecord]:
        self.refuse_in_transaction("items")
        rows = TaskItem.objects.filter(task_id=self.run.claimed.uuid)
        fields = ("position", "key", "state", "detail", "error")
        return {row[1]: ItemRecord(*row) for row in rows.values_list(*fields)}

    def add_items(self, records: list[ItemRecord]) -> None:
        self.run.new_items.extend(replace(record) for record in records)
        self._changed()

    def save_item(self, record: ItemRecord) -> None:
        # The key and the detail stay as they are, for the handler that resumes; they are masked where they are shown.
        error = clean_text(masked_text(str(record.error)))
        kept = replace(record, detail=storable(record.detail), error=error)
        self.run.items.append(kept)
        self._changed()

    def flush(self) -> None:
        self.checkpoint_now()
        self.refuse_in_transaction("commit")
        if not self.pulse.flush():
            raise TaskInterrupted

    def on_interrupt(self, stop: Callable[[], object] | None) -> None:
        self.run.stop = stop
        if stop is not None:
            self.checkpoint_now()

    def refuse_in_transaction(self, what: str) -> None:
        """On SQLite the handler's own transaction locks out its pulse: it would wait for itself."""
        if self.pulse.is_apart and connection.vendor == "sqlite" and connection.in_atomic_block:
            raise RuntimeError(
                f"context.{what} was called inside a transaction of the handler's own. On SQLite that locks out the"
                " worker's other connection: leave `atomic()` first."
            )


class TaskLogHandler(logging.Handler):
    """Python's logging inside a handler goes to its task's log: to the recorder that `present` gives, if any."""

    def __init__(self, present: Callable[[], WorkerRecorder | None]) -> None:
        super().__init__(logging.INFO)
        self.present = present

    def createLock(self) -> None:  # noqa: N802 - logging's name
        # No lock: an interrupt while it is held would hold it for ever.
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """As logging's, which from Python 3.13 on takes it for granted that there is a lock."""
        passed = bool(self.filter(record))
        if passed:
            self.emit(record)
        return passed

    def emit(self, record: logging.LogRecord) -> None:
        recorder = self.present()
        if recorder is None or record.name.startswith("tasks.engine"):
            return
        level = next((name for name, number in reversed(LEVELS.items()) if record.levelno >= number), "debug")
        try:
            recorder.add_lines(level, self.format(record))
        except Exception:  # noqa: BLE001 - a message may be of any class; no log line is worth a task
            self.handleError(record)
