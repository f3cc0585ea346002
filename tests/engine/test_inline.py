"""`tasks.testing.drain` promises to do in the test's process what a worker does."""

import pytest

from tasks import lifecycle
from tasks.testing import assert_submitted, drain

pytestmark = pytest.mark.django_db


def test_what_is_ready_runs_in_order_and_ends_as_under_a_worker():
    late = lifecycle.submit("NOOP", {"x": 1}, priority=-1)
    early = lifecycle.submit("NOOP", {"x": 2}, priority=1)
    failing = lifecycle.submit("FAIL", {"retry": False})
    assert [task.pk for task in drain()] == [early.pk, failing.pk, late.pk]
    late.refresh_from_db()
    failing.refresh_from_db()
    assert (late.status, late.result_data, late.claim) == ("SUCCESS", 1, None)
    assert (failing.status, failing.error_message) == ("FAILED", "Attempt 1 went wrong.")


def test_reports_items_and_files_are_kept():
    task = lifecycle.submit("ITEMS", {"count": 3})
    drain()
    task.refresh_from_db()
    assert task.result_data == {"done": 3}
    assert list(task.items.values_list("key", "state")) == [(f"item {number}", "done") for number in range(3)]
    talking = lifecycle.submit("TALK", {"lines": 5})
    drain()
    assert talking.log_lines.count() == 6


def test_a_second_attempt_waits_for_its_time():
    task = lifecycle.submit("SAVE")
    drain()
    task.refresh_from_db()
    assert (task.status, task.waits_for, task.attempts) == ("PENDING", "time", 1)
    assert drain() == []


def test_what_was_submitted_can_be_asserted():
    task = lifecycle.submit("NOOP", {"x": 5})
    assert assert_submitted("NOOP", {"x": 5}) == task
    with pytest.raises(AssertionError, match="was submitted"):
        assert_submitted("NOOP", {"x": 6})
