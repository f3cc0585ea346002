"""A worker process of this cluster, as its sentinel sees it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess

from tasks.engine.slot import Reason, Slot

SIGNAL_AGAIN = 2.0  # seconds: an exception raised in a destructor is swallowed, so the signal is sent again


@dataclass(eq=False)
class Member:
    process: BaseProcess
    slot: Slot
    born: float = field(default_factory=time.monotonic)
    interrupted: int = 0  # the claim
    interrupted_at: float = 0.0
    signalled_at: float = 0.0
    killed_for: Reason = Reason.NONE
    dead: bool = False

    @property
    def pid(self) -> int:
        return self.process.pid or 0

    @property
    def claim(self) -> int:
        """The claim that a handler runs for; 0: none."""
        return self.slot.values.current

    def is_dead(self) -> bool:
        """Whether its process has ended (waitpid). What its handler had started is then killed."""
        if not self.dead and not self.process.is_alive():
            self.dead = True
            # At once, and never again: the number of a process that is gone may be given to another.
            # A worker that was interrupted ends in order, but what its handler had started may go on.
            if self.process.exitcode or self.interrupted:
                self._kill_group()
        return self.dead

    def kill(self, reason: Reason = Reason.NONE) -> None:
        """SIGKILL to it and to what its handler started."""
        if not self.is_dead():
            self.killed_for = reason
            self._kill_group()
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def interrupt(self, claim: int, reason: Reason, grace: float) -> None:
        """SIGUSR1 now and every SIGNAL_AGAIN seconds, SIGKILL to its process group after the grace."""
        now = time.monotonic()
        if self.interrupted != claim:
            self.interrupted, self.interrupted_at, self.signalled_at = claim, now, 0.0
            self.slot.interrupt(claim, reason)
        if now - self.interrupted_at >= grace:
            self.kill(Reason(self.slot.values.reason))
        elif now - self.signalled_at >= SIGNAL_AGAIN:
            self.signalled_at = now
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGUSR1)
            self.slot.ring()  # its pulse calls what the handler named for an interrupt

    def words_for_death(self) -> str:
        """How it died, to go after "its worker died"."""
        code = self.process.exitcode or 0
        if self.killed_for is Reason.MEMORY:
            return "using more memory than its limit"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"by signal {-code} ({signal.Signals(-code).name})"
            return f"by signal {-code}"
        return f"with exit code {code}"
