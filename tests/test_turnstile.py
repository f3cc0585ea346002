"""The turnstile: TaskHub promises that SQLite's writers queue up, and that nobody stays in it for ever."""

from __future__ import annotations

import fcntl
import os
import signal
import threading

import pytest
from django.conf import settings
from django.db import connection, transaction

from tasks.turnstile import turnstile

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'sqlite'", reason="only on SQLite: elsewhere many write at once"),
]


def is_free():
    descriptor = os.open(settings.DATA_DIR / "turnstile", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def test_one_writer_is_in_it_at_a_time():
    with turnstile():
        assert not is_free()
    assert is_free()


def test_two_threads_of_one_process_pass_it_one_after_the_other():
    passed = threading.Event()

    def pass_through():
        with turnstile():
            passed.set()
        connection.close()

    thread = threading.Thread(target=pass_through)
    with turnstile():
        thread.start()
        assert not passed.wait(0.1)
    thread.join(timeout=10)
    assert passed.is_set()


def test_inside_a_transaction_nobody_waits_for_it():
    with turnstile(), transaction.atomic(), turnstile():
        assert not is_free()


def test_a_process_that_was_forked_inside_keeps_nobody_out():
    """A handler may fork at the very moment at which its pulse is in it."""
    with turnstile():
        child = os.fork()
        if not child:
            signal.pause()
    try:
        assert is_free()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_whoever_is_killed_inside_leaves_it():
    child = os.fork()
    if not child:
        with turnstile():
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert is_free()
