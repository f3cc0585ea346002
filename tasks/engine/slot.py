"""What a sentinel and one of its workers share: raw values without a lock, and a pipe that wakes the worker."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
from enum import IntEnum


class Reason(IntEnum):
    """Why a running task is interrupted."""

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


class Slot:
    """One worker's values in shared memory. No dead process can hold anything here."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, ctypes.sizeof(_Values))
        self.values = _Values.from_buffer(self._memory)
        self.wake_fd, self._ring_fd = os.pipe()
        os.set_blocking(self.wake_fd, False)
        os.set_blocking(self._ring_fd, False)

    def ring(self) -> None:
        """Wake the worker's pulse."""
        # A full pipe wakes as well as one byte more; a closed one is a dead worker, which the sentinel sees elsewhere.
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._ring_fd, b"!")

    def silence(self) -> None:
        """Empty the pipe, in the worker."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.wake_fd, 65_536)

    def interrupt(self, claim: int, reason: Reason) -> None:
        """Ask that this claim's handler stops: the reason first, for the claim is what makes it count."""
        self.values.reason = reason
        self.values.interrupt = claim

    def close(self) -> None:
        os.close(self.wake_fd)
        os.close(self._ring_fd)
