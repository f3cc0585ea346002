"""The broker that django-q2's own tools are given: TaskHub promises that no work gets lost in a second queue."""

from __future__ import annotations

import pytest
from django_q.brokers import get_broker
from django_q.models import OrmQ
from django_q.tasks import async_task

from tasks.engine.broker import TaskBroker

pytestmark = pytest.mark.django_db


def test_it_is_the_one_that_django_q_uses():
    assert isinstance(get_broker(), TaskBroker)


def test_work_that_would_have_no_row_is_refused_with_the_way_to_submit_it():
    with pytest.raises(NotImplementedError, match=r"tasks\.lifecycle\.submit"):
        async_task("builtins.int", 1)
    assert not OrmQ.objects.exists()


def test_it_counts_what_is_ready_and_what_is_held(make_task, claim):
    for _ in range(3):
        make_task()
    make_task(waits_for="time")
    claim()
    broker = get_broker()
    assert (broker.queue_size(), broker.lock_size()) == (3, 1)
