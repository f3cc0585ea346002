"""Every move against every status, generated from the table of moves."""

from __future__ import annotations

import pytest
from rest_framework.exceptions import ValidationError

from tasks import lifecycle
from tasks.lifecycle import TRANSITIONS, TransitionRefused
from tasks.models import Status, Task

MOVES = {"cancel": lifecycle.cancel, "retry": lifecycle.retry, "delete": lifecycle.delete}


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("move", MOVES)
def test_each_move_is_allowed_just_where_the_table_says(move, status, make_task):
    task = make_task(status=status)
    if status in TRANSITIONS[move].sources:
        MOVES[move](task)
    else:
        with pytest.raises(TransitionRefused):
            MOVES[move](task)


@pytest.mark.django_db
def test_a_bare_submit_is_pending_with_its_defaults_filled_in():
    task = lifecycle.submit("NOOP")
    assert (task.status, task.progress, task.parameters) == ("PENDING", 0, {"x": 0})


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"task_type": "NONE_SUCH"}, "task_type"),
        ({"task_type": "NOOP", "parameters": {"x": "many"}}, "parameters"),
        ({"task_type": "NOOP", "parameters": {"y": 1}}, "parameters"),
        ({"task_type": "NOOP", "queue": "no spaces"}, "queue"),
        ({"task_type": "NOOP", "priority": 5000}, "priority"),
        ({"task_type": "NOOP", "max_attempts": 0}, "max_attempts"),
    ],
)
def test_a_wrong_submit_names_the_field_and_stores_nothing(arguments, field):
    with pytest.raises(ValidationError) as caught:
        lifecycle.submit(**arguments)
    assert list(caught.value.detail) == [field]
    assert not Task.objects.exists()


def test_a_retry_waits_until_the_old_task_has_let_go(make_task):
    stopping = make_task(status="CANCELLED", claim=7)
    assert lifecycle.retry(stopping).waits_for == "task"


def test_a_task_that_is_stopping_cannot_be_deleted(make_task):
    with pytest.raises(TransitionRefused):
        lifecycle.delete(make_task(status="CANCELLED", claim=7))
