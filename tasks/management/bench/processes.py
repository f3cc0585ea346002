"""The processes that are measured: started, waited for, weighed, killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from django.conf import settings


def wait_for(condition: Callable[[], Any], seconds: float, pause: float = 0.002) -> Any:
    """What `condition` gives once it is true. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"Not within {seconds:g} s.")
        time.sleep(pause)
    return value


@contextmanager
def running(arguments: list[str], **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """Python with these arguments, in a session of its own; ended with the block."""
    with subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, *arguments],
        cwd=settings.BASE_DIR,
        env=os.environ | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)
            for pid in family(process.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def family(pid: int) -> list[int]:
    """The process and all its descendants."""
    children = []
    with suppress(OSError):
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [pid, *(one for child in children for one in family(child))]


def pss_mb(pid: int) -> float:
    """What a process and its descendants hold in memory, pages they share counted once, in MB."""
    total = 0
    for one in family(pid):
        with suppress(OSError):
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return round(total / 1024, 1)


def cpu_seconds(pid: int) -> float:
    """What a process and its descendants have used of the processor so far."""
    ticks = 0
    for one in family(pid):
        with suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def percentiles(seconds: list[float]) -> dict[str, float]:
    """p50, p95 and p99 in milliseconds."""
    ordered = sorted(seconds)
    return {
        f"p{percent}": round(1000 * ordered[min(len(ordered) - 1, len(ordered) * percent // 100)], 2)
        for percent in (50, 95, 99)
    }


def rate(count: Callable[[], int], total: int, seconds: float = 300) -> float:
    """How many a second, between a tenth and nine tenths of the total: without the start and the end."""
    marks = [(time.perf_counter(), count())]
    end = time.monotonic() + seconds
    while marks[-1][1] < total:
        if time.monotonic() > end:
            raise TimeoutError(f"{marks[-1][1]} of {total} after {seconds:g} s.")
        time.sleep(0.05)
        marks.append((time.perf_counter(), count()))
    low = next(mark for mark in marks if mark[1] >= total * 0.1)
    high = next(mark for mark in marks if mark[1] >= total * 0.9)
    if high[1] == low[1]:  # it was over before we could look twice
        low = marks[0]
    return round((high[1] - low[1]) / (high[0] - low[0]), 1)
