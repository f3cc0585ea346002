"""What a sentinel and one of its workers share: raw values without a lock, and a pipe that wakes the worker."""

from __future__ import annotations

import ctypes
import mmap
from enum import IntEnum

from tasks.engine.bell import Bell


class Reason(IntEnum):
    """Why a running task is interrupted, or its worker killed: for MEMORY always the latter."""

    NONE = 0
    CANCEL = 1
    TIMEOUT = 2
    SHUTDOWN = 3
    MEMORY = 4


class _Values(ctypes.Structure):
    # Eight bytes each, so that no read sees half a write. Times are of the monotonic clock, which processes share.
    _fields_ = [
        ("current", ctypes.c_int64),  # the claim that the handler runs for, 0: none; written by the worker
        ("since", ctypes.c_double),
        ("deadline", ctypes.c_double),  # 0: none
        ("memory_mb", ctypes.c_int64),  # what the worker may have while this claim runs, 0: no limit
        ("idle", ctypes.c_int64),  # 1: the pulse sleeps and wants to be woken
        ("done", ctypes.c_int64),
        ("failed", ctypes.c_int64),
        ("interrupt", ctypes.c_int64),  # the claim to be interrupted; written by the sentinel
        ("reason", ctypes.c_int64),
        ("stop", ctypes.c_int64),  # 1: take nothing more
    ]


class Slot(Bell):
    """One worker's values in shared memory, and the bell of its pulse. No dead process can hold anything here."""

    def __init__(self) -> None:
        super().__init__()
        self._memory = mmap.mmap(-1, ctypes.sizeof(_Values))
        self.values = _Values.from_buffer(self._memory)

    def interrupt(self, claim: int, reason: Reason) -> None:
        """Ask that this claim's handler stops: the reason first, for the claim is what makes it count."""
        self.values.reason = reason
        self.values.interrupt = claim
