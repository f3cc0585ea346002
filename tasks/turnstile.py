"""Lets the writers of an SQLite database queue up, instead of each trying again and again until it is lucky."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection


@contextmanager
def turnstile() -> Iterator[None]:
    """Around a short write transaction. On PostgreSQL, and inside a transaction, it does nothing.

    SQLite's own waiting sleeps longer with each try, so that who waits longest is the least likely to get in. The
    kernel's queue for a file lock knows no such thing, and whoever dies leaves it.
    """
    # Inside a transaction: who is in the turnstile may wait for us already.
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    # A descriptor of its own each time: threads that shared one would share the lock.
    descriptor = os.open(settings.DATA_DIR / "turnstile", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        # Said, not left to the close: a process that was forked meanwhile has the descriptor too.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)
