"""NOOP promises to give back what was put in."""

from tasks.testing import run_handler


def test_it_gives_back_its_parameter():
    assert run_handler("NOOP", {"x": 7}).result == 7
