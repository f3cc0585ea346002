"""The admin: everything can be seen, nothing can be edited, and acts go through the lifecycle."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.utils import timezone

from tasks.accounts import tokens
from tasks.accounts.models import Token
from tasks.admin import CappedPaginator
from tasks.models import Cluster, Queue, Status, Task, TaskAttempt, TaskFile, TaskItem, TaskLogLine

pytestmark = pytest.mark.django_db


@pytest.fixture
def whole_task(make_task):
    """A task with something of everything that can belong to one."""
    task = make_task(status="FAILED", name="photos", parameters={"password": "hunter2", "size": 7})
    TaskAttempt.objects.create(task=task, outcome="failed", error="No such file.")
    TaskLogLine.objects.create(task=task, seq=1, message="Starting")
    TaskItem.objects.create(task=task, position=0, key="a.png")
    TaskFile.objects.create(task=task, kind="output", name="a.png", size=1, content="x")
    Cluster.objects.create(id="c", host="h", hostname="host-one", pid=1, lease_expires_at=timezone.now())
    return task


OURS = ["task", "taskattempt", "tasklogline", "taskitem", "taskfile", "cluster", "queue"]


@pytest.mark.parametrize("model", OURS)
def test_each_list_and_each_row_can_be_looked_at(client, whole_task, model):
    assert client.get(f"/admin/tasks/{model}/").status_code == 200
    row = admin.site._registry[model_of(model)].get_queryset(request_of(client)).first()
    assert client.get(f"/admin/tasks/{model}/{row.pk}/change/").status_code == 200


@pytest.mark.parametrize("model", ["taskattempt", "tasklogline", "taskitem", "taskfile"])
def test_staff_see_what_belongs_to_tasks_that_they_may_see_alone(client, settings, whole_task, stranger, model):
    settings.ACCESS = "login"
    stranger.is_staff = True
    stranger.save()
    stranger.user_permissions.add(Permission.objects.get(codename=f"view_{model}"))
    client.force_login(stranger)
    row = model_of(model).objects.get()
    assert "0 " in client.get(f"/admin/tasks/{model}/").content.decode().partition('class="paginator"')[2]
    assert client.get(f"/admin/tasks/{model}/{row.pk}/change/").status_code == 302
    Task.objects.update(owner=stranger)
    assert client.get(f"/admin/tasks/{model}/{row.pk}/change/").status_code == 200


def model_of(name):
    models = (Task, TaskAttempt, TaskLogLine, TaskItem, TaskFile, Cluster, Queue)
    return next(model for model in models if model._meta.model_name == name)


def request_of(client):
    return client.get("/admin/").wsgi_request


@pytest.mark.parametrize("model", OURS)
def test_no_row_can_be_added_edited_or_deleted_by_hand(client, whole_task, model):
    assert client.get(f"/admin/tasks/{model}/add/").status_code == 403
    row = model_of(model).objects.first()
    assert client.post(f"/admin/tasks/{model}/{row.pk}/change/", {"name": "x"}).status_code == 403
    assert client.post(f"/admin/tasks/{model}/{row.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_token_can_be_looked_at_and_revoked_but_not_read(client, owner):
    token, text = tokens.make(owner, "laptop", 1)
    page = client.get(f"/admin/accounts/token/{token.pk}/change/").content.decode()
    assert "laptop" in page
    assert text[:15] not in page
    client.post(f"/admin/accounts/token/{token.pk}/delete/", {"post": "yes"})
    assert not Token.objects.exists()


def test_nothing_of_django_q2_is_in_the_admin(client):
    assert not [model for model in admin.site._registry if model._meta.app_label == "django_q"]
    assert client.get("/admin/django_q/schedule/add/").status_code == 404


@pytest.mark.parametrize(
    ("action", "allowed", "becomes"),
    [
        ("cancel", {"PENDING", "RUNNING"}, "CANCELLED"),
        ("delete_ended", {"SUCCESS", "FAILED", "CANCELLED"}, None),
    ],
)
def test_an_action_is_done_where_the_lifecycle_allows_it(client, make_task, action, allowed, becomes):
    tasks = {status: make_task(status=status) for status in Status.values}
    answer = act(client, action, tasks.values())
    assert "passed over" in answer.content.decode()
    now = dict(Task.objects.values_list("pk", "status"))
    for status, task in tasks.items():
        assert now.get(task.pk) == (becomes if status in allowed else status)


def act(client, action, tasks):
    data = {"action": action, "_selected_action": [str(task.pk) for task in tasks]}
    return client.post("/admin/tasks/task/", data, follow=True)


def test_a_retry_from_the_admin_makes_a_new_task_and_leaves_a_line(client, make_task):
    failed = make_task(status="FAILED")
    act(client, "retry", [failed])
    new = Task.objects.exclude(pk=failed.pk).get()
    assert (new.retry_of, new.status) == (failed, "PENDING")
    assert LogEntry.objects.get().user.username == "local"


@pytest.mark.parametrize("words", ["holiday", "status:failed", "{tail}"])
def test_a_search_finds_by_name_qualifier_and_id(client, make_task, words):
    wanted = make_task(status="FAILED", name="holiday photos")
    other = make_task(status="SUCCESS", name="sales")
    page = client.get("/admin/tasks/task/", {"q": words.format(tail=wanted.short_id)}).content.decode()
    assert str(wanted.pk) in page
    assert str(other.pk) not in page


@pytest.mark.parametrize("model", ["taskattempt", "tasklogline", "taskitem", "taskfile"])
def test_what_belongs_to_a_task_is_found_by_its_id(client, whole_task, model):
    def found(words):
        return client.get(f"/admin/tasks/{model}/", {"q": words}).context["cl"].result_count

    assert [found(words) for words in ("", str(whole_task.pk), whole_task.pk.hex, "nonsense")] == [1, 1, 1, 0]


def test_a_secret_parameter_is_not_shown(client, whole_task):
    page = client.get(f"/admin/tasks/task/{whole_task.pk}/change/").content.decode()
    assert "hunter2" not in page
    assert "size" in page


def test_a_list_counts_no_further_than_one_may_page(django_assert_num_queries, make_task):
    with django_assert_num_queries(1) as queries:
        assert CappedPaginator(Task.objects.order_by("-id"), 50).count == 0
    assert "LIMIT 10000" in queries[0]["sql"]


@pytest.mark.parametrize(
    ("model", "query", "count"),
    [
        ("taskattempt", "outcome__exact=failed", 1),
        ("taskattempt", "outcome__exact=lost", 0),
        ("tasklogline", "level__exact=info", 1),
        ("taskitem", "state__exact=done", 0),
        ("taskfile", "kind__exact=output", 1),
        ("task", "queue=default", 1),
    ],
)
def test_a_filter_without_an_index_looks_among_the_newest_rows(client, whole_task, monkeypatch, model, query, count):
    def found():
        return client.get(f"/admin/tasks/{model}/?{query}").context["cl"].result_count

    assert found() == count
    monkeypatch.setattr("tasks.admin.REACH", 1)
    assert found() == count  # the newest row is this one


def test_a_filter_looks_at_all_that_a_search_has_found(client, whole_task, make_task, monkeypatch):
    TaskAttempt.objects.create(task=make_task(), outcome="lost")
    monkeypatch.setattr("tasks.admin.REACH", 1)
    for query, count in (("", 0), (f"&q={whole_task.pk}", 1)):
        page = client.get(f"/admin/tasks/taskattempt/?outcome__exact=failed{query}")
        assert page.context["cl"].result_count == count


def test_the_audit_is_searched_by_the_id_of_a_task_and_by_who_it_was(client, make_task, owner):
    failed = make_task(status="FAILED")
    act(client, "cancel", [make_task()])
    act(client, "delete_ended", [failed])

    def found(words):
        return client.get("/admin/admin/logentry/", {"q": words}).context["cl"].result_count

    known = ("", str(failed.pk), failed.pk.hex, "local", "owner", "nonsense")
    assert [found(words) for words in known] == [2, 1, 1, 2, 0, 0]


def test_an_old_task_is_found_by_its_whole_id(client, make_task, monkeypatch):
    old = make_task()
    for _ in range(3):
        make_task()
    monkeypatch.setattr("tasks.filters.REACH", 1)
    for words in (str(old.pk), old.pk.hex, f"id:{old.pk}"):
        assert client.get("/admin/tasks/task/", {"q": words}).context["cl"].result_count == 1
        assert [task["id"] for task in client.get("/api/tasks/", {"q": words}).json()] == [str(old.pk)]


def test_the_front_page_does_not_sort_all_that_a_person_has_done(client, django_assert_max_num_queries):
    client.get("/admin/")
    with django_assert_max_num_queries(1) as queries:
        assert client.get("/admin/").status_code == 200
    assert not [query for query in queries if "django_admin_log" in query["sql"]]
