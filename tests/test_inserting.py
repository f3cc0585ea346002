"""Many tasks at once become the very rows that one at a time would."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tasks.inserting import insert_tasks
from tasks.models import Task

pytestmark = pytest.mark.django_db


def test_rows_are_those_that_the_orm_would_make(owner, make_task):
    former = make_task(status="FAILED")
    fields = {
        "name": "Zoë's \\ tab\t and \n line",
        "parameters": {"x": [1, None, "é\\N"], "deep": {"a": True}},
        "owner": owner,
        "retry_of": former,
        "run_at": timezone.now() + timedelta(hours=1),
        "waits_for": "time",
        "timeout": 2.5,
        "priority": -3,
    }
    at_once, one_by_one = Task(task_type="NOOP", **fields), Task(task_type="NOOP", **fields)
    insert_tasks([at_once])
    one_by_one.save()
    rows = Task.objects.values()
    apart = ("id", "created_at")
    as_inserted = {name: value for name, value in rows.get(pk=at_once.pk).items() if name not in apart}
    assert as_inserted == {name: value for name, value in rows.get(pk=one_by_one.pk).items() if name not in apart}


def test_every_one_of_many_is_there():
    tasks = [Task(task_type="NOOP", parameters={"x": number}) for number in range(500)]
    insert_tasks(tasks)
    assert set(Task.objects.values_list("pk", flat=True)) == {task.pk for task in tasks}
