"""TaskHub promises authors of task types helpers with which a test says what it means."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tasks import lifecycle
from tasks.models import Cluster
from tasks.testing import assert_submitted, drain, run_handler


def test_a_handler_runs_without_a_database_and_everything_it_reported_is_there():
    run = run_handler("EMAIL_SIMULATION", {"num_emails": 2, "delay_per_email": 0})
    assert run.result["sent_successfully"] == 2
    assert set(run.items.values()) == {"done"}
    assert len(run.files) == 2


@pytest.mark.django_db
def test_a_submit_can_be_asserted_with_some_of_its_parameters():
    task = lifecycle.submit("EMAIL_SIMULATION", {"num_emails": 2})
    assert assert_submitted("EMAIL_SIMULATION", {"num_emails": 2}) == task
    with pytest.raises(AssertionError, match="No EMAIL_SIMULATION task with"):
        assert_submitted("EMAIL_SIMULATION", {"num_emails": 3})


@pytest.mark.django_db
def test_draining_runs_what_is_ready_as_a_worker_would():
    simulated = lifecycle.submit("EMAIL_SIMULATION", {"num_emails": 2, "delay_per_email": 0})
    first = lifecycle.submit("NOOP", {"x": 7}, priority=5)
    later = lifecycle.submit("NOOP", run_at=timezone.now() + timedelta(hours=1))
    assert drain() == [first, simulated]
    simulated.refresh_from_db()
    first.refresh_from_db()
    later.refresh_from_db()
    assert (first.status, first.result_data) == ("SUCCESS", 7)
    assert (simulated.status, simulated.progress_message) == ("SUCCESS", "2 messages in the outbox")
    assert (simulated.files.published().count(), simulated.items.filter(state="done").count()) == (2, 2)
    assert (later.status, later.waits_for) == ("PENDING", "time")
    assert not Cluster.objects.exists()


@pytest.mark.django_db
def test_draining_records_a_failure_in_words():
    task = lifecycle.submit(
        "EMAIL_CAMPAIGN", {"recipients": ("a@example.org, b@example.org"), "subject": "s", "body": "b"}
    )
    path = task.files.get().content.path
    with open(path, "w") as file:
        file.write("nobody")
    [task] = drain()
    assert (task.status, task.attempts, task.waits_for) == ("FAILED", 1, "")
    assert task.error_message.endswith("“nobody” in line 1: not an e-mail address.")
