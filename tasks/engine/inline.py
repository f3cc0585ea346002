"""Runs tasks in this very process and thread, for tests of what submits them."""

from __future__ import annotations

import logging
import os
import socket
import uuid
from collections.abc import Iterator
from typing import Any

from django.db import transaction

from tasks.engine import host
from tasks.engine.outcome import Claimed, Outcome
from tasks.engine.recorder import TaskLogHandler
from tasks.engine.run import Run
from tasks.engine.slot import Slot
from tasks.engine.store import get_store
from tasks.engine.store.reports import publish_files, write_report
from tasks.engine.worker import Worker
from tasks.models import Cluster


class InlinePulse:
    """Stands for the pulse where there is no second thread: it writes at once, over the caller's connection."""

    is_apart = False
    cluster = "inline"

    def __init__(self) -> None:
        self.store = get_store()
        self.fast_types: tuple[str, ...] = ()
        self.run_now: Run | None = None
        self.flowing = False

    def wake(self) -> None: ...

    def start_task(self, claimed: Claimed, began: Any) -> bool:
        claimed.started = self.store.start(claimed, began)
        return claimed.started

    def hand_over(self, outcome: Outcome) -> None:
        self.write_now(outcome, ask=False)

    def write_now(self, outcome: Outcome, *, ask: bool) -> None:
        with transaction.atomic():
            if outcome.run is not None:
                self._report(outcome.run)
                publish_files(outcome)
            self.store.write([outcome])

    def flush(self) -> bool:
        if self.run_now is not None:
            with transaction.atomic():
                self._report(self.run_now)
        return True

    def _report(self, run: Run) -> None:
        run.first_seq = write_report(run.claimed, run.gather(), run.first_seq)
        run.settle()


def run_ready(limit: int) -> Iterator[uuid.UUID]:
    """Run what is ready, one after the other in their order, and give the ids. What waits for a time is left."""
    store, slot = get_store(), Slot()
    cluster = Cluster(id=str(uuid.uuid4()), host=host.identity(), hostname=socket.gethostname(), pid=os.getpid())
    store.register(cluster)
    worker = Worker(slot, InlinePulse(), os.getppid())
    to_task_log = TaskLogHandler(worker.present_recorder)
    logging.getLogger().addHandler(to_task_log)
    try:
        for _ in range(limit):
            claimed = next(filter(None, (_claim(cluster.pk, queue) for queue in store.open_queues())), None)
            if claimed is None:
                return
            worker.execute(claimed)
            yield claimed.uuid
    finally:
        logging.getLogger().removeHandler(to_task_log)
        slot.close()
        store.retire(cluster.pk)


def _claim(cluster: str, queue: str) -> Claimed | None:
    claimed = get_store().claim(cluster, os.getpid(), queue, 1, (), True)
    return claimed[0] if claimed else None
