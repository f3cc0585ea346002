"""Many tasks in one request: all of them or none, and acts on all that match."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry

from tasks.models import Status, Task

pytestmark = pytest.mark.django_db


def post(client, path, body):
    return client.post(path, body, content_type="application/json")


def submit(client, tasks, path="/api/tasks/bulk-submit"):
    return post(client, path, tasks)


@pytest.mark.parametrize("slash", ["", "/"])
def test_many_are_submitted_in_their_order(client, slash):
    tasks = [{"task_type": "NOOP", "parameters": {"x": number}} for number in range(30)]
    answer = submit(client, tasks, f"/api/tasks/bulk-submit{slash}")
    assert answer.status_code == 201
    assert answer.json()["count"] == 30
    stored = {str(task.pk): task.parameters["x"] for task in Task.objects.all()}
    assert [stored[task_id] for task_id in answer.json()["ids"]] == list(range(30))


def test_each_of_many_may_carry_what_one_may(client):
    submit(client, [{"task_type": "NOOP"}, {"task_type": "NOOP", "parameters": None, "priority": 5, "queue": "slow"}])
    assert Task.objects.filter(priority=5, queue="slow").count() == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"task_type": "UNHEARD_OF"}, "task_type"),
        ({"task_type": "NOOP", "parameters": {"x": "many"}}, "parameters"),
        ({"task_type": "NOOP", "parameters": [1]}, "parameters"),
        ({"task_type": "NOOP", "priority": "high"}, "priority"),
        ({"task_type": 7}, "task_type"),
        ({}, "task_type"),
        ("NOOP", "non_field_errors"),
    ],
)
def test_one_wrong_among_many_stores_none_and_is_named_by_its_position(client, wrong, field):
    answer = submit(client, [{"task_type": "NOOP"}, wrong, {"task_type": "NOOP"}])
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == ["1"]
    assert field in answer.json()["errors"]["1"]
    assert not Task.objects.exists()


def test_a_single_wrong_one_is_named_by_its_position_too(client):
    answer = submit(client, [{"task_type": "NOOP", "parameters": {"x": "many"}}])
    assert answer.json()["errors"] == {"0": {"parameters": {"x": ["A valid integer is required."]}}}


@pytest.mark.parametrize("body", [[], {}, {"tasks": []}, "text", [{"task_type": "NOOP"}] * 10_001])
def test_what_is_no_list_of_one_to_ten_thousand_answers_422(client, body):
    assert submit(client, body).status_code in {400, 422}
    assert not Task.objects.exists()


def test_many_leave_one_line_that_names_the_person(client):
    submit(client, [{"task_type": "NOOP"}] * 5)
    assert LogEntry.objects.get().change_message.startswith("Submitted 5 tasks")


# --- acts


def act(client, **body):
    return post(client, "/api/tasks/bulk-act", body)


@pytest.mark.parametrize(
    ("action", "done", "left"),
    [("cancel", 2, {"SUCCESS": 1, "FAILED": 1, "CANCELLED": 3}), ("delete", 3, {"PENDING": 1, "RUNNING": 1})],
)
def test_an_act_is_done_where_the_lifecycle_allows_it(client, make_task, action, done, left):
    ids = [str(make_task(status=status).pk) for status in Status]
    answer = act(client, action=action, ids=ids)
    assert answer.json() == {"done": done, "skipped": 5 - done}
    statuses = list(Task.objects.values_list("status", flat=True))
    assert {status: statuses.count(status) for status in statuses} == left


def test_an_act_on_all_that_match_leaves_the_others(client, make_task):
    make_task(status="FAILED", name="photos")
    other = make_task(status="FAILED", name="sales")
    assert act(client, action="delete", filter={"status": "FAILED", "q": "photos"}).json()["done"] == 1
    assert Task.objects.get() == other


def test_retrying_all_makes_a_new_task_for_each(client, make_task):
    for _ in range(25):
        make_task(status="FAILED")
    assert act(client, action="retry", filter={"status": "FAILED"}).json() == {"done": 25, "skipped": 0}
    assert Task.objects.filter(status="PENDING", retry_of__isnull=False).count() == 25


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": "cancel"},
        {"action": "explode", "ids": ["01890000-0000-7000-8000-000000000000"]},
        {"action": "cancel", "ids": []},
        {"action": "cancel", "ids": ["no-id"]},
        {"action": "cancel", "filter": {}},
        {"action": "cancel", "filter": {"status": "NONE"}},
        {"action": "cancel", "filter": {"q": "status:none"}},
        {"action": "cancel", "ids": ["01890000-0000-7000-8000-000000000000"], "filter": {"status": "FAILED"}},
    ],
)
def test_an_act_that_is_not_clear_does_nothing(client, make_task, body):
    task = make_task()
    assert act(client, **body).status_code == 422
    task.refresh_from_db()
    assert task.status == "PENDING"


def test_an_act_on_more_than_the_limit_does_nothing(client, make_task, monkeypatch):
    monkeypatch.setattr("tasks.bulk.LIMIT", 2)
    for _ in range(3):
        make_task()
    assert act(client, action="cancel", filter={"status": "PENDING"}).status_code == 422
    assert not Task.objects.filter(status="CANCELLED").exists()


def test_nobody_acts_on_what_is_not_theirs(client, settings, owner, stranger, make_task):
    settings.ACCESS = "login"
    task = make_task(owner=owner)
    client.force_login(stranger)
    assert act(client, action="cancel", ids=[str(task.pk)]).json() == {"done": 0, "skipped": 0}
    assert act(client, action="cancel", filter={"status": "PENDING"}).json()["done"] == 0
