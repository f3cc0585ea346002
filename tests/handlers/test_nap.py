"""NAP promises to sleep for as long as it says."""

import time

from tasks.testing import run_handler


def test_it_sleeps_and_gives_back_for_how_long():
    begun = time.monotonic()
    assert run_handler("NAP", {"seconds": 0.05}).result == 0.05
    assert time.monotonic() - begun >= 0.05
