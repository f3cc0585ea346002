"""Tasks by API, beyond the contract: what a person may see and do, paging, secrets."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission

from tasks.models import Task, TaskItem

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_person(client, settings):
    """Signs somebody in, in login mode: `as_person(owner)`."""
    settings.ACCESS = "login"

    def sign_in(person, *permissions):
        person.user_permissions.add(*Permission.objects.filter(codename__in=permissions))
        client.force_login(person)
        return client

    return sign_in


def test_a_person_sees_their_own_tasks_alone(as_person, owner, stranger, make_task):
    mine, other = make_task(owner=stranger), make_task(owner=owner)
    browser = as_person(stranger)
    assert [task["id"] for task in browser.get("/api/tasks/").json()] == [str(mine.pk)]
    assert browser.get(f"/api/tasks/{other.pk}").status_code == 404
    assert browser.get("/api/health").json()["total_tasks"] == 1


@pytest.mark.parametrize(("method", "path"), [("delete", ""), ("post", "/retry"), ("post", "/delete")])
def test_what_one_may_see_but_not_act_on_answers_403_and_what_one_may_not_see_404(
    as_person, owner, stranger, make_task, method, path
):
    task = make_task(owner=owner, status="FAILED")
    browser = as_person(stranger)
    assert getattr(browser, method)(f"/api/tasks/{task.pk}{path}").status_code == 404
    browser = as_person(stranger, "view_all_tasks")
    assert getattr(browser, method)(f"/api/tasks/{task.pk}{path}").status_code == 403


def test_a_group_that_manages_all_may_act_on_all(as_person, owner, stranger, make_task):
    task = make_task(owner=owner)
    browser = as_person(stranger, "view_all_tasks", "manage_all_tasks")
    assert browser.delete(f"/api/tasks/{task.pk}").status_code == 200


def test_a_submit_belongs_to_who_sent_it(as_person, stranger):
    answer = as_person(stranger).post("/api/tasks/", {"task_type": "NOOP"}, content_type="application/json")
    assert answer.json()["owner"] == "stranger"


def test_every_act_leaves_a_line_that_names_the_person(as_person, owner, make_task):
    browser = as_person(owner)
    task_id = browser.post("/api/tasks/", {"task_type": "NOOP"}, content_type="application/json").json()["id"]
    browser.delete(f"/api/tasks/{task_id}")
    browser.post(f"/api/tasks/{task_id}/retry")
    browser.post(f"/api/tasks/{task_id}/delete")
    lines = (
        LogEntry.objects.filter(content_type__model="task")
        .order_by("id")
        .values_list("user__username", "change_message")
    )
    assert list(lines) == [
        ("owner", "Submitted"),
        ("owner", "Cancelled"),
        ("owner", f"Retried {task_id}"),
        ("owner", "Deleted"),
    ]


def test_an_ended_task_can_be_deleted_for_good(client, make_task):
    task = make_task(status="SUCCESS")
    assert client.post(f"/api/tasks/{task.pk}/delete").status_code == 204
    assert not Task.objects.exists()


def test_a_task_that_has_not_ended_cannot_be_deleted(client, make_task):
    assert client.post(f"/api/tasks/{make_task().pk}/delete").status_code == 400


def test_only_the_failed_items_are_done_again(client, make_task):
    task = make_task(status="SUCCESS")
    for number, state in enumerate(("done", "failed", "unknown")):
        TaskItem.objects.create(task=task, position=number, key=state, state=state)
    new = client.post(f"/api/tasks/{task.pk}/retry", {"items": "failed"}, content_type="application/json").json()
    assert [item["key"] for item in client.get(f"/api/tasks/{new['id']}/items").json()] == ["failed"]


def test_a_retry_refuses_items_it_does_not_know(client, make_task):
    task = make_task(status="FAILED")
    answer = client.post(f"/api/tasks/{task.pk}/retry", {"items": "lost"}, content_type="application/json")
    assert answer.status_code == 422


def test_secrets_among_parameters_are_masked(client, make_task):
    task = make_task(parameters={"headers": {"Authorization": "Token hunter2"}, "x": 1})
    for path in (f"/api/tasks/{task.pk}", "/api/tasks/"):
        answer = client.get(path).content.decode()
        assert "hunter2" not in answer
        assert '"x":1' in answer


def test_the_browsable_api_is_there_for_people(client, make_task):
    for path in ("/api/tasks/", f"/api/tasks/{make_task().pk}", "/api/health", "/api/task-types"):
        answer = client.get(path, headers={"accept": "text/html"})
        assert answer["Content-Type"] == "text/html; charset=utf-8"


def test_a_page_that_searched_only_so_far_leads_on(client, make_task, monkeypatch):
    monkeypatch.setattr("tasks.filters.REACH", 3)
    wanted = make_task(name="needle")
    for _ in range(4):
        make_task(name="hay")
    answer = client.get("/api/tasks/?q=needle")
    assert answer.json() == []
    assert 'rel="next"' in answer["Link"]
    following = answer["Link"].split(">")[0][1:]
    assert [task["id"] for task in client.get(following).json()] == [str(wanted.pk)]


@pytest.mark.parametrize(
    "query",
    [
        "cursor=no-id",
        "q=status:lost",
        "since=someday",
        "order=random",
        "since=0001-01-01T00:00:00%2B05:00",
        "since=9999-12-31T23:59:59-05:00",
        "q=before:0001-01-01T00:00:00%2B05:00",
    ],
)
def test_a_filter_that_is_not_understood_answers_422(client, query):
    assert client.get(f"/api/tasks/?{query}").status_code == 422


def test_oldest_first_pages_too(client, make_task):
    ids = [str(make_task().pk) for _ in range(3)]
    answer = client.get("/api/tasks/?order=oldest&limit=2")
    assert [task["id"] for task in answer.json()] == ids[:2]
    following = answer["Link"].split(">")[0][1:]
    assert [task["id"] for task in client.get(following).json()] == ids[2:]


@pytest.mark.parametrize("path", ["/api/tasks/", "/api/tasks/{id}"])
def test_only_the_fields_that_are_asked_for_come(client, make_task, path):
    task = make_task()
    shown = client.get(path.format(id=task.pk) + "?fields=id,status").json()
    assert (shown[0] if isinstance(shown, list) else shown) == {"id": str(task.pk), "status": "PENDING"}


def test_large_fields_that_nobody_asked_for_are_not_read(client, make_task, django_assert_max_num_queries):
    make_task(result_data={"large": 1})
    client.get("/api/tasks/")
    with django_assert_max_num_queries(2) as queries:
        client.get("/api/tasks/?fields=id,status,owner")
    assert "result_data" not in queries[-1]["sql"]


def test_a_field_that_a_task_does_not_have_answers_422(client):
    assert client.get("/api/tasks/?fields=id,password").status_code == 422


def test_a_list_costs_no_query_for_each_task(client, owner, make_task, django_assert_max_num_queries):
    for _ in range(10):
        make_task(owner=owner)
    client.get("/api/tasks/")
    with django_assert_max_num_queries(2):  # who asks, and the list
        client.get("/api/tasks/")
