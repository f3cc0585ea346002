"""A pipe that wakes one who waits: in another process, or among other things that are waited for."""

from __future__ import annotations

import contextlib
import os
import select


class Bell:
    """Rung from anywhere, also from a signal's handler; who waits on `wake_fd` is to silence it."""

    def __init__(self) -> None:
        self.wake_fd, self._ring_fd = os.pipe()
        os.set_blocking(self.wake_fd, False)
        os.set_blocking(self._ring_fd, False)

    def ring(self) -> None:
        # A full pipe wakes as well as one byte more; a closed one is a dead process, which is seen elsewhere.
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._ring_fd, b"!")

    def silence(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self.wake_fd, 65_536)

    def wait(self, seconds: float, *others: int) -> None:
        """Return when it rings, when one of the other descriptors has something, or when the time is up."""
        select.select([self.wake_fd, *others], [], [], seconds)
        # Now, not later: who rings from here on must find the waiter awake after it.
        self.silence()

    def close(self) -> None:
        os.close(self.wake_fd)
        os.close(self._ring_fd)
