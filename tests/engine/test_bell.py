"""A bell: TaskHub promises that whoever is rung for wakes, however often and whenever it was rung."""

from __future__ import annotations

import os
import select
import time

import pytest

from tasks.engine.bell import Bell


@pytest.fixture
def bell():
    bell = Bell()
    yield bell
    bell.close()


def rings(bell):
    return bool(select.select([bell.wake_fd], [], [], 0)[0])


def test_a_ring_ends_a_wait_that_has_not_begun_and_is_over_with_it(bell):
    bell.ring()
    begun = time.monotonic()
    bell.wait(60)
    assert time.monotonic() - begun < 5
    assert not rings(bell)


def test_something_else_ends_a_wait_too(bell):
    other, write = os.pipe()
    os.write(write, b"x")
    begun = time.monotonic()
    bell.wait(60, other)
    assert time.monotonic() - begun < 5
    os.close(other)
    os.close(write)
