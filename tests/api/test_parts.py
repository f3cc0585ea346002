"""A task's log, files, items and attempts by API."""

from __future__ import annotations

import pytest

from tasks.models import TaskAttempt, TaskFile, TaskItem, TaskLogLine

pytestmark = pytest.mark.django_db


@pytest.fixture
def task(make_task):
    return make_task(status="FAILED")


@pytest.mark.parametrize("part", ["log", "files", "items", "attempts"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_each_part_of_a_bare_task_is_an_empty_array(client, task, part, slash):
    answer = client.get(f"/api/tasks/{task.pk}/{part}{slash}")
    assert (answer.status_code, answer.json()) == (200, [])


@pytest.mark.parametrize("part", ["log", "files", "items", "attempts"])
@pytest.mark.parametrize("task_id", ["01890000-0000-7000-8000-000000000000", "no-id"])
def test_no_part_of_an_unknown_task_is_there(client, part, task_id):
    assert client.get(f"/api/tasks/{task_id}/{part}").status_code == 404


# --- log


@pytest.fixture
def logged(task):
    TaskLogLine.objects.bulk_create(
        TaskLogLine(task=task, seq=number, message=f"line {number}") for number in range(1, 1503)
    )
    return f"/api/tasks/{task.pk}/log"


def test_the_log_has_its_lines_in_order_a_page_at_a_time(client, logged):
    answer = client.get(logged)
    assert [line["seq"] for line in answer.json()] == list(range(1, 1001))
    assert answer.json()[0].keys() == {"seq", "at", "level", "message"}
    assert '?after=1000>; rel="next"' in answer["Link"]


def test_the_log_goes_on_after_a_line_one_has(client, logged):
    answer = client.get(f"{logged}?after=1500")
    assert [line["message"] for line in answer.json()] == ["line 1501", "line 1502"]
    assert "next" not in answer["Link"]


@pytest.mark.parametrize("query", ["after=x", "after=-1", "limit=0", "limit=10001", f"after={10**30}"])
def test_a_wrong_place_in_the_log_answers_422(client, logged, query):
    assert client.get(f"{logged}?{query}").status_code == 422


# --- files


def test_files_are_listed_once_they_are_published(client, task):
    known = {"task": task, "size": 5, "content": "x"}
    published = TaskFile.objects.create(name="a.csv", kind="output", content_type="text/csv", **known)
    TaskFile.objects.create(name="b.csv", kind="output", claim=7, **known)
    [file] = client.get(f"/api/tasks/{task.pk}/files").json()
    assert {name: file[name] for name in ("name", "kind", "size", "content_type", "url")} == {
        "name": "a.csv",
        "kind": "output",
        "size": 5,
        "content_type": "text/csv",
        "url": f"/api/files/{published.pk}",
    }


# --- items


@pytest.fixture
def with_items(task):
    states = ["done", "failed", "done", "unknown"]
    TaskItem.objects.bulk_create(
        TaskItem(
            task=task, position=number, key=f"=item {number}", state=state, error="" if state == "done" else "Why."
        )
        for number, state in enumerate(states)
    )
    return f"/api/tasks/{task.pk}/items"


def test_items_come_in_their_order_and_a_page_at_a_time(client, with_items):
    answer = client.get(f"{with_items}?limit=3")
    assert [item["position"] for item in answer.json()] == [0, 1, 2]
    assert 'after=2&limit=3>; rel="next"' in answer["Link"]
    assert [item["position"] for item in client.get(f"{with_items}?limit=3&after=2").json()] == [3]


def test_items_are_filtered_by_state(client, with_items):
    assert [item["position"] for item in client.get(f"{with_items}?state=done").json()] == [0, 2]
    assert client.get(f"{with_items}?state=lost").status_code == 422


@pytest.mark.parametrize(("query", "headers"), [("?format=csv", {}), ("", {"accept": "text/csv"})])
def test_items_can_be_had_as_csv_without_formulas(client, with_items, query, headers):
    answer = client.get(f"{with_items}{query}", headers=headers)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith("attachment")
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert lines[:3] == [
        '"position","key","state","error","detail"',
        '0,"\'=item 0","done","",""',
        '1,"\'=item 1","failed","Why.",""',
    ]


def test_a_refused_csv_is_still_a_refusal(client, with_items):
    answer = client.get(f"{with_items}?format=csv&state=lost")
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")


def test_csv_of_what_is_no_list_is_refused(client, with_items):
    assert client.options(f"{with_items}?format=csv").status_code == 405


# --- attempts


@pytest.mark.parametrize(("who", "sees"), [("staff", "Traceback"), ("owner", "")])
def test_a_traceback_is_for_staff(client, settings, request, make_task, who, sees):
    person = request.getfixturevalue(who)
    task = make_task(status="FAILED", owner=person)
    TaskAttempt.objects.create(task=task, outcome="failed", error="No such column.", traceback="Traceback")
    settings.ACCESS = "login"
    client.force_login(person)
    [attempt] = client.get(f"/api/tasks/{task.pk}/attempts").json()
    assert (attempt["error"], attempt["traceback"]) == ("No such column.", sees)
