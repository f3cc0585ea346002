"""What the kernel tells of processes, for tests that start and kill them. Linux only."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ProcessInfo:
    pid: int
    state: str
    parent: int
    session: int
    command: str


def living_processes() -> Iterator[ProcessInfo]:
    """Every process but those that are dead and not yet waited for."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_text(errors="replace").replace("\0", " ").strip()
        except OSError:  # it ended meanwhile
            continue
        state, parent, _, session = fields[:4]
        if state not in "ZX":
            yield ProcessInfo(int(folder.name), state, int(parent), int(session), command)


def children_of(pid: int) -> list[ProcessInfo]:
    return [process for process in living_processes() if process.parent == pid]


def living_in_sessions(sessions: set[int]) -> list[ProcessInfo]:
    return [process for process in living_processes() if process.session in sessions]


def after(seconds: float) -> Callable[[], bool]:
    """A condition that is true so many seconds from now: for `wait_for`, where it is time itself that matters."""
    moment = time.monotonic() + seconds
    return lambda: time.monotonic() >= moment


def wait_for(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """What `condition` gives once it is true. Raises AssertionError when that takes too long."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
        time.sleep(0.02)
    return value
