"""What the clients of old rely on, each claim of the contract by itself, through Django's plain test client."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from tasks.models import Cluster, Status, Task

pytestmark = pytest.mark.django_db

CONTRACT_FIELDS = {
    "id",
    "task_type",
    "status",
    "created_at",
    "started_at",
    "completed_at",
    "result_data",
    "error_message",
    "progress",
}
NOOP = {"task_type": "NOOP", "parameters": {"x": 7}}


def submit(client, body=NOOP, path="/api/tasks/submit"):
    return client.post(path, body, content_type="application/json")


# --- the task


def test_a_task_has_the_fields_of_the_contract(client, make_task):
    task = make_task()
    assert client.get(f"/api/tasks/{task.pk}").json().keys() >= CONTRACT_FIELDS


def test_an_id_is_a_string_and_times_are_null_until_they_happen(client):
    task = submit(client).json()
    assert task["id"] == str(Task.objects.get().pk)
    assert task["started_at"] is task["completed_at"] is task["result_data"] is task["error_message"] is None


def test_times_are_iso_8601_with_their_zone(client, make_task):
    at = timezone.now()
    shown = client.get(f"/api/tasks/{make_task(status='SUCCESS', started_at=at, completed_at=at).pk}").json()
    assert timezone.datetime.fromisoformat(shown["completed_at"]) == at


@pytest.mark.parametrize("status", ["PENDING", "RUNNING", "SUCCESS", "FAILED", "CANCELLED"])
def test_each_status_is_spelled_as_ever(client, make_task, status):
    assert client.get(f"/api/tasks/{make_task(status=status).pk}").json()["status"] == status


# --- submit


@pytest.mark.parametrize("path", ["/api/tasks/submit", "/api/tasks/submit/", "/api/tasks/", "/api/tasks"])
def test_a_submit_answers_201_with_the_pending_task(client, path):
    answer = submit(client, path=path)
    assert answer.status_code == 201
    task = answer.json()
    assert (task["task_type"], task["status"], task["progress"]) == ("NOOP", "PENDING", 0)


@pytest.mark.parametrize("body", [{"task_type": "NOOP"}, {"task_type": "NOOP", "parameters": None}])
def test_parameters_may_be_left_out_or_null(client, body):
    assert submit(client, body).status_code == 201


def test_a_submit_may_carry_name_queue_priority_run_at_and_max_attempts(client):
    later = (timezone.now() + timedelta(hours=1)).isoformat()
    more = {"name": "Mine", "queue": "slow", "priority": 5, "run_at": later, "max_attempts": 3}
    task = submit(client, NOOP | more).json()
    assert {name: task[name] for name in more if name != "run_at"} == {n: v for n, v in more.items() if n != "run_at"}
    assert (task["status"], task["waits_for"]) == ("PENDING", "time")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"task_type": "UNHEARD_OF"}, "task_type"),
        ({"parameters": {}}, "task_type"),
        ({"task_type": None}, "task_type"),
        ({"task_type": ["NOOP"]}, "task_type"),
        ({"task_type": "NOOP", "parameters": {"x": "many"}}, "parameters"),
        ({"task_type": "NOOP", "parameters": {"unheard_of": 1}}, "parameters"),
        ({"task_type": "NOOP", "parameters": [1]}, "parameters"),
        ({"task_type": "NOOP", "parameters": "text"}, "parameters"),
        ({"task_type": "NOOP", "priority": 10**6}, "priority"),
        ({"task_type": "NOOP", "run_at": "tomorrow"}, "run_at"),
        ({"task_type": "NOOP", "max_attempts": 0}, "max_attempts"),
        ({"task_type": "NOOP", "queue": "no spaces"}, "queue"),
    ],
)
def test_a_bad_body_answers_422_field_by_field_and_stores_nothing(client, body, field):
    answer = submit(client, body)
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [field]
    assert field in answer.json()["detail"]
    assert not Task.objects.exists()


@pytest.mark.parametrize("body", [[], [NOOP], "text", 7, None])
def test_json_that_is_no_object_answers_422(client, body):
    assert submit(client, json.dumps(body)).status_code == 422


@pytest.mark.parametrize(
    "body", [b"not json", b"{", b"{'task_type': 'NOOP'}", b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000]
)
@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded", "text/plain"])
def test_a_body_that_is_not_json_answers_400(client, body, content_type):
    answer = client.post("/api/tasks/submit", body, content_type=content_type)
    assert answer.status_code == 400
    assert not Task.objects.exists()


def test_a_get_of_submit_answers_405(client):
    answer = client.get("/api/tasks/submit")
    assert answer.status_code == 405
    assert "POST" in answer["Allow"]


# --- list


@pytest.mark.parametrize("path", ["/api/tasks/", "/api/tasks"])
def test_the_list_is_a_bare_array_newest_first(client, make_task, path):
    ids = [str(make_task().pk) for _ in range(3)]
    answer = client.get(path)
    assert answer.status_code == 200
    assert [task["id"] for task in answer.json()] == ids[::-1]


def test_an_empty_list_is_an_empty_array(client):
    assert client.get("/api/tasks/").json() == []


def test_the_list_has_200_at_a_time_and_up_to_1000_by_limit(client):
    Task.objects.bulk_create(Task(task_type="NOOP") for _ in range(1001))
    assert len(client.get("/api/tasks/").json()) == 200
    assert len(client.get("/api/tasks/?limit=1000").json()) == 1000


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "many", "1.5"])
def test_a_limit_out_of_range_answers_422(client, limit):
    assert client.get(f"/api/tasks/?limit={limit}").status_code == 422


def test_the_list_is_filtered_by_status_and_type(client, make_task):
    wanted = make_task("NOOP", status="FAILED")
    make_task("NOOP", status="SUCCESS")
    make_task("OTHER", status="FAILED")
    [found] = client.get("/api/tasks/?status=FAILED&task_type=NOOP").json()
    assert found["id"] == str(wanted.pk)


@pytest.mark.parametrize("query", ["status=UNHEARD_OF", "task_type=UNHEARD_OF", "status=failed"])
def test_an_unknown_status_or_type_in_the_filter_answers_422(client, query):
    assert client.get(f"/api/tasks/?{query}").status_code == 422


def test_the_link_header_leads_through_all_pages_each_task_once(client, make_task):
    ids = {str(make_task().pk) for _ in range(5)}
    seen, url = [], "/api/tasks/?limit=2"
    while url:
        answer = client.get(url)
        seen += [task["id"] for task in answer.json()]
        url = next_of(answer)
    assert sorted(seen) == sorted(ids)


def next_of(answer):
    links = [link for link in answer.headers.get("Link", "").split(", ") if 'rel="next"' in link]
    return links[0][1 : links[0].index(">")] if links else None


# --- one task


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_get_answers_the_task(client, make_task, slash):
    task = make_task(status="FAILED", error_message="No such column.", progress=40.0)
    shown = client.get(f"/api/tasks/{task.pk}{slash}").json()
    assert (shown["error_message"], shown["progress"]) == ("No such column.", 40)


@pytest.mark.parametrize("task_id", [str(uuid4()), "7", "no-id", "%00", "'; --", "x" * 500])
@pytest.mark.parametrize("method", ["get", "delete"])
def test_an_unknown_or_malformed_id_answers_404(client, method, task_id):
    assert getattr(client, method)(f"/api/tasks/{task_id}").status_code == 404


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("status", ["PENDING", "RUNNING"])
def test_a_delete_cancels_what_waits_or_runs_and_the_next_get_says_so(client, make_task, status, slash):
    task = make_task(status=status)
    answer = client.delete(f"/api/tasks/{task.pk}{slash}")
    assert answer.status_code == 200
    assert answer.json() == {"message": "Task cancelled successfully", "task_id": str(task.pk)}
    assert client.get(f"/api/tasks/{task.pk}").json()["status"] == "CANCELLED"


@pytest.mark.parametrize("status", ["SUCCESS", "FAILED", "CANCELLED"])
def test_a_delete_in_a_final_status_answers_400(client, make_task, status):
    assert client.delete(f"/api/tasks/{make_task(status=status).pk}").status_code == 400


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_a_retry_answers_201_with_a_new_task_of_the_same_kind(client, make_task, status, slash):
    old = make_task(status=status, parameters={"x": 7})
    answer = client.post(f"/api/tasks/{old.pk}/retry{slash}")
    assert answer.status_code == 201
    new = answer.json()
    assert new["id"] != str(old.pk)
    assert (new["task_type"], new["status"], new["parameters"]) == ("NOOP", "PENDING", {"x": 7})
    assert client.get(f"/api/tasks/{old.pk}").json()["status"] == status


@pytest.mark.parametrize("status", ["PENDING", "RUNNING", "SUCCESS"])
def test_a_retry_in_another_status_answers_400(client, make_task, status):
    assert client.post(f"/api/tasks/{make_task(status=status).pk}/retry").status_code == 400


def test_a_retry_of_an_unknown_task_answers_404(client):
    assert client.post(f"/api/tasks/{uuid4()}/retry").status_code == 404


# --- health, pages


@pytest.mark.parametrize("path", ["/api/health", "/api/health/"])
def test_health_tells_the_count_and_that_no_cluster_runs(client, make_task, path):
    for status in Status:
        make_task(status=status)
    health = client.get(path).json()
    assert (health["status"], health["queue_running"], health["total_tasks"]) == ("healthy", False, 5)


@pytest.mark.parametrize(("seconds", "running"), [(15, True), (-1, False)])
def test_health_tells_whether_a_cluster_is_alive(client, seconds, running):
    until = timezone.now() + timedelta(seconds=seconds)
    Cluster.objects.create(id="c", host="h", hostname="h", pid=1, lease_expires_at=until)
    assert client.get("/api/health").json()["queue_running"] is running


@pytest.mark.parametrize("path", ["/", "/docs", "/docs/", "/api/schema", "/api/task-types"])
def test_the_page_and_the_documentation_are_there(client, path):
    assert client.get(path).status_code == 200
