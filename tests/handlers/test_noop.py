"""NOOP."""

from tasks.testing import run_handler


def test_what_goes_in_comes_out():
    assert run_handler("NOOP", {"x": 7}).result == 7
