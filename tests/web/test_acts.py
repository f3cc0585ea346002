"""What people do from the pages: cancel, retry, run again, delete, one by one and many at once."""

from __future__ import annotations

import json

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.utils import timezone

from tasks.models import Queue, Task, TaskItem

pytestmark = pytest.mark.django_db

FROM_A_SCRIPT = {"HTTP_HX_REQUEST": "true"}


def test_cancelling_comes_back_to_where_one_was_and_says_so(client, make_task):
    task = make_task(name="photos")
    answer = client.post(f"/tasks/{task.pk}/cancel/", {"next": "/?status=PENDING"}, follow=True)
    assert answer.redirect_chain == [("/?status=PENDING", 302)]
    assert "Cancelled: photos" in answer.content.decode()
    task.refresh_from_db()
    assert task.status == "CANCELLED"


def test_a_script_gets_the_words_and_stays(client, make_task):
    task = make_task(name="photos")
    answer = client.post(f"/tasks/{task.pk}/cancel/", **FROM_A_SCRIPT)
    assert answer.status_code == 204
    assert json.loads(answer["HX-Trigger"])["th:said"]["text"] == "Cancelled: photos"


def test_a_refused_act_says_why(client, make_task):
    task = make_task(status="SUCCESS", completed_at=timezone.now())
    for act, words in (("cancel", "nothing to cancel"), ("retry", "Only a failed or cancelled task")):
        assert words in client.post(f"/tasks/{task.pk}/{act}/", follow=True).content.decode()


def test_nobody_is_sent_to_another_site(client, make_task):
    answer = client.post(f"/tasks/{make_task().pk}/cancel/", {"next": "https://elsewhere.example/"})
    assert answer["Location"].startswith("/")


def test_retry_and_run_again_make_a_new_task(client, make_task):
    failed = make_task(status="FAILED", completed_at=timezone.now(), parameters={"x": 7})
    done = make_task(status="SUCCESS", completed_at=timezone.now(), parameters={"x": 8})
    client.post(f"/tasks/{failed.pk}/retry/")
    client.post(f"/tasks/{done.pk}/again/")
    new = Task.objects.filter(status="PENDING").order_by("id")
    assert [task.parameters for task in new] == [{"x": 7}, {"x": 8}]
    assert new[0].retry_of == failed
    assert new[1].retry_of is None


def test_only_the_failed_items_are_retried(client, make_task):
    task = make_task(status="SUCCESS", completed_at=timezone.now())
    for number, state in enumerate(("done", "failed", "unknown")):
        TaskItem.objects.create(task=task, position=number, key=state, state=state)
    client.post(f"/tasks/{task.pk}/retry/", {"items": "failed"})
    new = Task.objects.get(retry_of=task)
    assert list(new.items.values_list("key", flat=True)) == ["failed"]


def test_deleting_asks_first(client, make_task):
    task = make_task(name="old", status="SUCCESS", completed_at=timezone.now())
    assert "Delete old?" in client.get(f"/tasks/{task.pk}/delete/").content.decode()
    assert Task.objects.filter(pk=task.pk).exists()
    client.post(f"/tasks/{task.pk}/delete/")
    assert not Task.objects.filter(pk=task.pk).exists()


def test_an_act_leaves_a_line_that_names_who_did_it(owners_browser, owner, make_task):
    task = make_task(owner=owner)
    owners_browser.post(f"/tasks/{task.pk}/cancel/")
    assert LogEntry.objects.get(object_id=str(task.pk)).user == owner


def test_a_parameter_that_is_not_valid_any_more_leads_to_the_form(client, make_task):
    task = make_task("EMAIL_SIMULATION", status="FAILED", completed_at=timezone.now(), parameters={"gone": 1})
    answer = client.post(f"/tasks/{task.pk}/retry/")
    assert answer["Location"] == f"/tasks/new/EMAIL_SIMULATION/?from={task.pk}"
    assert "ErrorDetail" not in client.get(answer["Location"]).content.decode()


def test_a_full_quota_is_told_and_is_no_matter_of_the_parameters(owners_browser, owner, make_task, settings):
    settings.MAX_PENDING = 1
    make_task(owner=owner)
    task = make_task(owner=owner, status="FAILED", completed_at=timezone.now())
    answer = owners_browser.post(f"/tasks/{task.pk}/retry/", follow=True)
    page = answer.content.decode()
    assert "tasks waiting" in page
    assert "not valid any more" not in page


def test_a_campaign_retried_twice_is_refused_in_words(client, make_task):
    task = make_task("EMAIL_CAMPAIGN", status="CANCELLED", completed_at=timezone.now())
    TaskItem.objects.create(task=task, position=0, key="a@b.de", state="failed")
    Task.objects.create(task_type="EMAIL_CAMPAIGN", retry_of=task, retry_items="failed")
    page = client.post(f"/tasks/{task.pk}/retry/", follow=True).content.decode()
    assert "It has been retried already" in page


def test_run_again_keeps_how_often_it_may_be_tried(client, make_task):
    client.post(f"/tasks/{make_task(status='SUCCESS', completed_at=timezone.now(), max_attempts=7).pk}/again/")
    assert Task.objects.get(status="PENDING").max_attempts == 7


def test_nobody_acts_on_a_task_that_they_do_not_see(strangers_browser, stranger, owner, make_task):
    stranger.user_permissions.add(Permission.objects.get(codename="manage_all_tasks"))
    task = make_task(owner=owner)
    assert strangers_browser.post(f"/tasks/{task.pk}/cancel/").status_code == 404
    task.refresh_from_db()
    assert task.status == "PENDING"


# --- many at once


def test_ticked_tasks_are_cancelled_and_the_rest_is_told(client, make_task):
    pending, done, other = make_task(), make_task(status="SUCCESS", completed_at=timezone.now()), make_task()
    page = client.post("/tasks/bulk/", {"action": "cancel", "id": [pending.pk, done.pk]}, follow=True).content.decode()
    assert "Cancelled 1 task. 1 was passed over" in page
    assert Task.objects.get(pk=other.pk).status == "PENDING"


def test_all_that_match_is_a_second_step_and_leaves_newcomers_out(client, make_task):
    make_task(queue="slow")
    newest = make_task(queue="slow")
    kept = make_task(queue="fast")
    newcomer = make_task(queue="slow")
    order = {"action": "cancel", "all": str(newest.pk)}
    asked = client.post("/tasks/bulk/?queue=slow", order).content.decode()
    assert "Cancel 2 tasks?" in asked
    assert not Task.objects.filter(status="CANCELLED").exists()
    client.post("/tasks/bulk/?queue=slow", order | {"confirmed": "1"})
    left = set(Task.objects.filter(status="PENDING").values_list("pk", flat=True))
    assert left == {kept.pk, newcomer.pk}


def test_deleting_many_asks_first(client, make_task):
    task = make_task(status="FAILED", completed_at=timezone.now())
    asked = client.post("/tasks/bulk/", {"action": "delete", "id": task.pk}).content.decode()
    assert "Delete 1 task?" in asked
    client.post("/tasks/bulk/", {"action": "delete", "id": task.pk, "confirmed": "1"})
    assert not Task.objects.exists()


def test_more_than_the_limit_is_refused_with_a_sentence(client, make_task, monkeypatch):
    monkeypatch.setattr("tasks.web.bulk.LIMIT", 2)
    tasks = [make_task() for _number in range(3)]
    order = {"action": "cancel", "all": str(tasks[-1].pk), "confirmed": "1"}
    assert "Narrow the filter" in client.post("/tasks/bulk/", order, follow=True).content.decode()
    assert Task.objects.filter(status="PENDING").count() == 3


def test_nothing_ticked_is_said(client):
    assert "Tick some tasks first" in client.post("/tasks/bulk/", {"action": "cancel"}, follow=True).content.decode()


def test_a_strangers_bulk_act_touches_nothing(strangers_browser, owner, make_task):
    task = make_task(owner=owner)
    for order in ({"id": task.pk}, {"all": str(task.pk), "confirmed": "1"}):
        strangers_browser.post("/tasks/bulk/", {"action": "cancel"} | order)
    assert (
        "of owner"
        not in strangers_browser.post("/tasks/bulk/", {"action": "export", "id": task.pk}).getvalue().decode()
    )
    task.refresh_from_db()
    assert task.status == "PENDING"


def test_export_gives_what_is_filtered_safe_for_spreadsheets(client, make_task):
    make_task(name="=HYPERLINK()", queue="slow")
    make_task(name="other")
    exported = client.get("/tasks/export.csv?queue=slow").getvalue().decode()
    assert '"\'=HYPERLINK()"' in exported
    assert "other" not in exported


# --- queues


def test_staff_pause_and_resume_a_queue(staff_browser, staff, make_task):
    staff_browser.post("/workers/queues/default/", {"action": "pause"})
    assert Queue.objects.get(name="default").paused_at
    assert "Paused" in staff_browser.get("/workers/").content.decode()
    staff_browser.post("/workers/queues/default/", {"action": "resume"})
    assert Queue.objects.get(name="default").paused_at is None
    assert LogEntry.objects.filter(user=staff, object_id="default").count() == 2


def test_only_staff_may_pause_a_queue(owners_browser):
    assert owners_browser.post("/workers/queues/default/", {"action": "pause"}).status_code == 403
    assert Queue.objects.get(name="default").paused_at is None


# --- preferences


def test_a_theme_is_kept_and_a_wrong_one_is_not(client):
    client.post("/preferences/", {"theme": "dark", "next": "/workers/"})
    assert 'data-theme="dark"' in client.get("/").content.decode()
    client.post("/preferences/", {"theme": "purple"})
    assert 'data-theme="dark"' in client.get("/").content.decode()
