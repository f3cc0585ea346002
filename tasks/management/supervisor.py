"""Keeps the parts of a running TaskHub alive, and ends them all together."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

# Pauses before a part is started again that died within QUICK seconds of its start: once, twice, ... in a row.
QUICK = 5.0
PAUSES = (1.0, 2.0, 4.0, 5.0)
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# Ctrl-C reaches a whole terminal at once and fingers repeat it: only a later one is a second request.
SECOND_REQUEST_AFTER = 1.0
PR_SET_PDEATHSIG = 1


class Signals:
    """Signals as something to wait for; `stop_requests` counts those that ask to stop."""

    def __init__(self, reader: socket.socket) -> None:
        self.stop_requests = 0
        self._last_request = 0.0
        self._reader = reader

    def wait(self, seconds: float) -> None:
        """Return when a signal has come, or after so many seconds."""
        if select.select([self._reader], [], [], seconds)[0]:
            for number in self._reader.recv(4096):
                if number in STOP_SIGNALS:
                    self.count_request(time.monotonic())

    def count_request(self, now: float) -> None:
        if not self.stop_requests or now - self._last_request >= SECOND_REQUEST_AFTER:
            self.stop_requests += 1
            self._last_request = now


@contextlib.contextmanager
def caught_signals() -> Iterator[Signals]:
    """Within this block signals only wake whoever waits for them."""
    caught = {*STOP_SIGNALS, signal.SIGCHLD}
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # under nohup it goes on when its terminal closes
        caught.remove(signal.SIGHUP)
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        former = {number: signal.signal(number, lambda *_: None) for number in caught}
        try:
            yield Signals(reader)
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(-1)


def die_with(parent: int) -> None:
    """In a new child: be killed when `parent` dies, whatever it dies of. Linux only; elsewhere a no-op."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)


@dataclass
class Part:
    """A process that is to run as long as TaskHub does, in a session of its own.

    `grace` is how many seconds it has to end after it was asked to. `descriptors` are the open files it inherits.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    grace: float
    descriptors: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    start_at: float = 0.0
    started_at: float = 0.0
    quick_deaths: int = 0
    kill_at: float = float("inf")

    @property
    def runs(self) -> bool:
        return self.process is not None

    def start(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - the commands are our own
            self.command,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            pass_fds=self.descriptors,
            start_new_session=True,
            preexec_fn=partial(die_with, os.getpid()),
        )
        self.started_at = time.monotonic()

    def bury(self) -> int | None:
        """The exit status of a part that has ended since the last look; what it left behind is killed."""
        if self.process is None or (status := self.process.poll()) is None:
            return None
        self._signal_group(signal.SIGKILL)
        self.process = None
        return status

    def plan_restart(self) -> float:
        """Set when to start again; returns the pause until then."""
        now = time.monotonic()
        self.quick_deaths = self.quick_deaths + 1 if now - self.started_at < QUICK else 0
        pause = PAUSES[min(self.quick_deaths, len(PAUSES)) - 1] if self.quick_deaths else 0.0
        self.start_at = now + pause
        return pause

    def ask_to_end(self) -> None:
        if self.process is not None:
            self.kill_at = min(self.kill_at, time.monotonic() + self.grace)
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()

    def kill_if_overdue(self) -> None:
        if time.monotonic() >= self.kill_at:
            self._signal_group(signal.SIGKILL)

    def _signal_group(self, number: signal.Signals) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


@dataclass
class Supervisor:
    """Runs the parts until a signal asks to stop. `say` is given a sentence about whatever happens."""

    parts: Sequence[Part]
    say: Callable[[str], object]
    patience: str = ""  # what to say to whoever has asked to stop, and waits

    def run(self) -> None:
        with caught_signals() as signals:
            try:
                while not signals.stop_requests:
                    self._tend()
                    signals.wait(self._until_next_start())
                self.say(self.patience)
            finally:
                self._end(signals)

    def _tend(self) -> None:
        for part in self.parts:
            if (status := part.bury()) is not None:
                pause = part.plan_restart()
                when = f"in {pause:g} s" if pause else "now"
                self.say(f"The {part.name} ended ({described(status)}); it is started again {when}.")
            if not part.runs and time.monotonic() >= part.start_at:
                part.start()

    def _until_next_start(self) -> float:
        # A signal tells of every death; the minute is for the case that one is missed.
        waiting = [part.start_at - time.monotonic() for part in self.parts if not part.runs]
        return max(0.0, min(waiting, default=60.0))

    def _end(self, signals: Signals) -> None:
        asked_at: float | None = None
        while running := [part for part in self.parts if part.runs]:
            now = time.monotonic()
            # Once; in a hurry again and again, since a part too takes a quick repetition for the same wish.
            if asked_at is None or (signals.stop_requests > 1 and now - asked_at >= SECOND_REQUEST_AFTER):
                asked_at = now
                for part in running:
                    part.ask_to_end()
            for part in running:
                part.kill_if_overdue()
            signals.wait(0.2)
            for part in running:
                part.bury()


def described(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
