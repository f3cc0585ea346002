"""A worker process from its fork on: what it leaves to its sentinel, and the loop of django-q2 that it lives in."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from django.db import connections
from django_q.worker import worker as django_q_worker

from tasks.engine.pulse import Pulse
from tasks.engine.recorder import TaskLogHandler
from tasks.engine.slot import Slot
from tasks.engine.worker import Worker

log = logging.getLogger("tasks.engine.birth")


class NoQueue:
    """Stands where django-q2 puts its results: the pulse has written them already."""

    def put(self, task: Any) -> None:
        if not task["success"]:
            log.error("A task fell over in the worker's own hands: %s", task["result"])


class NoTimer:
    """Stands for django-q2's shared timer, without the lock that a dead worker would hold for ever."""

    value = -1
    get_lock = staticmethod(nullcontext)


def work(cluster: str, slot: Slot, parent: int, forget: Callable[[], None]) -> None:
    """A worker's whole life; `forget` closes what it has inherited and must not share."""
    forget()
    _settle_in(parent)
    pulse = Pulse(cluster, slot)
    me = Worker(slot, pulse, parent)
    signal.signal(signal.SIGUSR1, me.on_interrupt)
    logging.getLogger().addHandler(TaskLogHandler(me.present_recorder))
    pulse.start()
    try:
        django_q_worker(me, NoQueue(), NoTimer(), -1)
    finally:
        # worker() leaves its loop on recycling without another get(): what is left must be written here.
        pulse.close()


def _settle_in(parent: int) -> None:
    """Die with the sentinel, be killable with one's own children, leave the terminal's signals to the sentinel."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    os.setpgid(0, 0)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    connections.close_all()
