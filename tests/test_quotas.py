"""One person cannot fill a hub that many share."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from rest_framework.exceptions import ValidationError

from tasks import lifecycle, quotas
from tasks.lifecycle import Submission
from tasks.models import Task, TaskFile

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shared_hub(settings):
    settings.ACCESS, settings.MAX_PENDING, settings.MAX_STORED_BYTES = "login", 3, 1000


def test_nobody_has_more_tasks_waiting_than_allowed(owner, stranger):
    lifecycle.submit_many([Submission("NOOP")] * 3, by=owner)
    cache.clear()
    with pytest.raises(ValidationError, match="3 tasks waiting"):
        lifecycle.submit("NOOP", by=owner)
    lifecycle.submit("NOOP", by=stranger)
    assert Task.objects.count() == 4


def test_many_at_once_are_taken_all_or_none(owner):
    with pytest.raises(ValidationError):
        lifecycle.submit_many([Submission("NOOP")] * 4, by=owner)
    assert not Task.objects.exists()


def test_tasks_that_have_ended_do_not_count(owner, make_task):
    for _ in range(5):
        make_task(owner=owner, status="SUCCESS")
    lifecycle.submit("NOOP", by=owner)


def test_nobodys_files_take_more_than_allowed(owner, make_task):
    TaskFile.objects.create(task=make_task(owner=owner), kind="output", name="a", size=900, content="x")
    quotas.check(owner, 1, 100)
    with pytest.raises(ValidationError, match="keep 1000"):
        quotas.check(owner, 1, 101)


def test_who_has_made_too_many_files_submits_nothing_more_until_some_are_deleted(owner, make_task):
    full = make_task(owner=owner, status="SUCCESS")
    TaskFile.objects.create(task=full, kind="output", name="a", size=1001, content="x")
    with pytest.raises(ValidationError, match="keep 1000"):
        lifecycle.submit("NOOP", by=owner)
    lifecycle.delete(full, by=owner)
    cache.clear()
    lifecycle.submit("NOOP", by=owner)


@pytest.mark.parametrize("values", [{"ACCESS": "local"}, {"MAX_PENDING": 0, "MAX_STORED_BYTES": 0}])
def test_local_mode_and_no_limit_count_nothing(settings, owner, values, django_assert_num_queries):
    for name, value in values.items():
        setattr(settings, name, value)
    with django_assert_num_queries(0):
        quotas.check(owner, 10_000, 0)


def test_counting_is_not_repeated_at_each_submit(owner, django_assert_num_queries):
    quotas.check(owner, 1, 0)
    with django_assert_num_queries(0):
        quotas.check(owner, 1, 0)
