"""What this machine can tell of its processes."""

from __future__ import annotations

import fcntl
import functools
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from django.conf import settings

MARK = "TASKHUB_CLUSTER"  # in the environment of whatever a cluster's workers start


@functools.cache
def identity() -> str:
    """What names the set of processes we share: boot id and pid namespace, or TASKHUB_HOST."""
    if settings.HOST:
        return settings.HOST
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    return socket.gethostname()


def try_lock(descriptor: int) -> bool:
    """Take the exclusive lock of an open file, if nobody holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def processes() -> Iterator[int]:
    """The pids of this namespace."""
    if sys.platform == "linux":
        yield from (int(name) for name in os.listdir("/proc") if name.isdigit())


def carries(pid: int, cluster: str) -> bool:
    """Whether a process was started by a worker of this cluster: a pid may have been given to another since."""
    with suppress(OSError):
        return f"{MARK}={cluster}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return False


def folders_of(cluster: str, pid: int | str) -> str:
    """How the names of the temporary folders begin that are a worker's."""
    return f"task-{cluster}-{pid}-"


def forget_folders(cluster: str, pid: int | str = "*") -> None:
    """Remove the temporary folders that a dead worker has left, or all the workers of a dead cluster."""
    for folder in settings.TEMPORARY_DIR.glob(f"{folders_of(cluster, pid)}*"):
        shutil.rmtree(folder, ignore_errors=True)


def memory_mb(pid: int | str = "self") -> float:
    """What a process holds in memory now, in MB; 0 where that cannot be told."""
    with suppress(OSError, ValueError), open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024**2
    return 0.0
