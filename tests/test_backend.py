"""Functions decorated with Django's `@task` run in TaskHub and appear in its table."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone
from django_tasks import TaskResultStatus, default_task_backend, task_backends
from django_tasks.exceptions import InvalidTaskError, TaskResultDoesNotExist, TaskResultMismatch
from django_tasks.signals import task_enqueued
from rest_framework.exceptions import ValidationError

from tasks import lifecycle
from tasks.backend import TaskHubBackend
from tasks.handlers import django_task
from tasks.models import Task
from tasks.testing import drain
from tests.work.functions import add, break_down, give_back_a_set, greet, later, undecorated, which_attempt

pytestmark = pytest.mark.django_db


def ran(result):
    drain()
    result.refresh()
    return result


def test_it_is_the_backend_unless_another_is_named():
    assert isinstance(task_backends["default"], TaskHubBackend)


def test_a_function_that_is_enqueued_stands_in_the_table_and_waits():
    result = add.enqueue(2, b=3)
    assert (result.status, result.is_finished, result.attempts) == (TaskResultStatus.READY, False, 0)
    task = Task.objects.get(pk=result.id)
    assert (task.status, task.name, task.parameters["args"], task.parameters["kwargs"]) == (
        "PENDING",
        "add",
        [2],
        {"b": 3},
    )


def test_its_result_can_be_had_once_it_has_run():
    result = ran(add.enqueue(2, b=3))
    assert (result.status, result.return_value, result.is_finished) == (TaskResultStatus.SUCCESSFUL, 5, True)
    assert result.enqueued_at <= result.started_at <= result.finished_at
    assert (result.attempts, result.worker_ids) == (1, [""])  # a row that has ended names no worker


def test_priority_queue_and_time_are_kept():
    at = timezone.now() + timedelta(hours=1)
    result = greet.using(priority=7, run_after=at).enqueue("Ann")
    task = Task.objects.get(pk=result.id)
    assert (task.priority, task.queue, task.run_at, task.waits_for) == (7, "mail", at, "time")
    found = default_task_backend.get_result(result.id)
    assert (found.task.priority, found.task.queue_name, found.task.run_after) == (7, "mail", at)


def test_a_function_may_take_its_context_or_be_a_coroutine():
    assert ran(which_attempt.enqueue()).return_value == 1
    assert ran(later.enqueue(21)).return_value == 42


def test_it_can_be_enqueued_and_asked_for_from_a_coroutine():
    result = async_to_sync(add.aenqueue)(1)
    drain()
    async_to_sync(result.arefresh)()
    assert result.return_value == 2


def test_a_failure_has_its_exception_and_traceback():
    result = ran(break_down.enqueue())
    assert result.status == TaskResultStatus.FAILED
    assert result.worker_ids == [str(os.getpid())]
    [error] = result.errors
    assert error.exception_class is LookupError
    assert "No such column." in error.traceback
    with pytest.raises(ValueError, match="failed"):
        _ = result.return_value


def test_what_is_no_json_is_neither_taken_nor_given_back():
    with pytest.raises(TypeError):
        add.enqueue({1, 2})
    assert ran(give_back_a_set.enqueue()).status == TaskResultStatus.FAILED


def test_a_cancelled_one_has_failed():
    result = add.enqueue(1)
    lifecycle.cancel(Task.objects.get(pk=result.id))
    result.refresh()
    assert result.status == TaskResultStatus.FAILED


def test_a_result_is_found_by_its_own_function_alone(make_task):
    result = add.enqueue(1)
    assert add.get_result(result.id).id == result.id
    with pytest.raises(TaskResultMismatch):
        greet.get_result(result.id)
    for unknown in ("no-id", str(make_task().pk)):
        with pytest.raises(TaskResultDoesNotExist):
            default_task_backend.get_result(unknown)


@pytest.mark.parametrize(
    "change", [{"priority": 101}, {"priority": 1.5}, {"run_after": timezone.now().replace(tzinfo=None)}]
)
def test_what_the_framework_forbids_is_refused(change):
    with pytest.raises(InvalidTaskError):
        add.using(**change)


def test_enqueueing_is_announced():
    heard = []

    def hear(sender, task_result, **kwargs):
        heard.append(task_result.id)

    task_enqueued.connect(hear)
    try:
        result = add.enqueue(1)
    finally:
        task_enqueued.disconnect(hear)
    assert heard == [result.id]


# --- what strangers must not do with it


@pytest.mark.parametrize("function", ["os.system", "tests.work.functions.add"])
def test_nobody_can_have_a_function_called_by_the_api(client, function):
    parameters = {"function": function, "args": ["true"], "kwargs": {}, "signature": "x"}
    answer = client.post(
        "/api/tasks/submit", {"task_type": "DJANGO_TASK", "parameters": parameters}, content_type="application/json"
    )
    assert answer.status_code == 422
    assert not Task.objects.exists()


def test_a_signature_is_good_for_its_own_call_alone():
    parameters = django_task.signed("tests.work.functions.add", [1], {})
    with pytest.raises(ValidationError):
        lifecycle.submit("DJANGO_TASK", parameters | {"args": [2]})


def test_what_is_not_decorated_is_not_called():
    path = f"{undecorated.__module__}.{undecorated.__qualname__}"
    task = lifecycle.submit("DJANGO_TASK", django_task.signed(path, [], {}))
    drain()
    task.refresh_from_db()
    assert task.status == "FAILED"
    assert "not decorated" in task.error_message


def test_a_failed_one_can_be_retried():
    failed = ran(break_down.enqueue())
    new = lifecycle.retry(Task.objects.get(pk=failed.id))
    assert new.parameters["function"] == "tests.work.functions.break_down"
