"""The task list: page and fragment, filters, counts, paging."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from tasks.models import Status, Task, TaskAttempt
from tests.web.pages import element, elements, inline_code, texts, visible_text

pytestmark = pytest.mark.django_db


def poll(client: Client, query: str = "") -> str:
    return client.get(f"/tasks/_table/?{query}").content.decode()


def version(html: str) -> str:
    return re.search(r'id="task-table".*?data-ver="(\w+)"', html, re.DOTALL)[1]


def test_the_page_shows_each_task_with_status_and_words(client, make_task):
    make_task("NOOP", name="customers.csv", status="SUCCESS", completed_at=timezone.now(), progress_message="9 columns")
    make_task("NOOP", name="prices.csv", status="FAILED", completed_at=timezone.now(), error_message="Line 7\nis short")
    make_task("NOOP", name="photos", status="RUNNING", started_at=timezone.now(), progress=35.4)
    page = visible_text(client.get("/").content.decode())
    for words in ("customers.csv", "9 columns", "prices.csv", "Line 7", "35 %", "Running", "Success", "Failed"):
        assert words in page
    assert "is short" not in page


def test_the_fragment_is_the_same_as_in_the_page(client, make_task):
    for status in Status:
        make_task("NOOP", name=f"a {status}", status=status, completed_at=timezone.now())
    page, fragment = client.get("/").content.decode(), poll(client)
    assert element(page, "task-table") == element(fragment, "task-table")
    assert texts(page, "counts") == texts(fragment, "counts")


def test_a_poll_that_brings_nothing_new_is_answered_204(client, make_task):
    task = make_task("NOOP", name="one")
    known = version(client.get("/").content.decode())
    assert client.get(f"/tasks/_table/?v={known}").status_code == 204
    Task.objects.filter(pk=task.pk).update(version=1)
    assert client.get(f"/tasks/_table/?v={known}").status_code == 200


def test_a_quiet_poll_costs_at_most_two_queries(client, make_task, django_assert_max_num_queries):
    for number in range(30):
        make_task("NOOP", name=f"task {number}")
    known = version(client.get("/").content.decode())
    with django_assert_max_num_queries(2):  # who asks, and the versions of the rows
        assert client.get(f"/tasks/_table/?v={known}").status_code == 204


def test_a_quiet_poll_of_somebody_signed_in_asks_for_session_person_permissions_and_rows(
    owners_browser, owner, make_task, django_assert_num_queries
):
    for number in range(30):
        make_task("NOOP", name=f"task {number}", owner=owner)
    known = version(owners_browser.get("/").content.decode())
    with django_assert_num_queries(4):
        assert owners_browser.get(f"/tasks/_table/?v={known}").status_code == 204


def test_whoever_signs_out_is_out_at_once(owners_browser):
    thief = Client()
    thief.cookies.load(owners_browser.cookies.output(header="", sep=";"))
    assert thief.get("/tasks/_table/").status_code == 200
    owners_browser.post("/sign-out/")
    assert thief.get("/tasks/_table/").status_code in {302, 401}


def test_the_page_costs_the_same_with_more_tasks(client, staff, make_task, django_assert_max_num_queries):
    for number in range(25):
        make_task("NOOP", name=f"task {number}", owner=staff)
    client.get("/")
    with django_assert_max_num_queries(6):
        client.get("/")


def test_a_stranger_sees_no_task(strangers_browser, owner, make_task):
    make_task("NOOP", name="of the owner", owner=owner, status="FAILED")
    for url in ("/", "/tasks/_table/", "/tasks/_counts/", "/tasks/export.csv", "/?q=owner", "/workers/"):
        assert "of the owner" not in strangers_browser.get(url).getvalue().decode()
    assert texts(strangers_browser.get("/").content.decode(), "counts")[0] == "All 0"


def test_counts_stand_at_their_tabs(client, make_task):
    for status in ("PENDING", "PENDING", "RUNNING", "FAILED"):
        make_task("NOOP", status=status)
    page = client.get("/").content.decode()
    assert texts(page, "counts") == ["All 4", "Pending 2", "Running 1", "Success 0", "Failed 1", "Cancelled 0"]
    assert "(1 failed) Tasks - TaskHub" in page


def test_a_count_ends_at_its_cap(client, make_task, monkeypatch):
    monkeypatch.setattr("tasks.web.hub.CAP", 3)
    for _number in range(5):
        make_task("NOOP")
    from tasks.web.hub import counts_for

    assert counts_for(client.get("/").wsgi_request.user).by_status["PENDING"] <= 5


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=FAILED", ["bad"]),
        ("task_type=NOOP&status=SUCCESS", ["good"]),
        ("q=goo", ["good"]),
        ("q=status:failed", ["bad"]),
        ("q=status:failed+broke", ["bad"]),
        ("q=%22it+broke%22", ["bad"]),
        ("q=type:noop", ["bad", "good", "old"]),
        ("q=nothing+like+it", []),
        ("q=before:2d", ["old"]),
        ("q=after:2d", ["bad", "good"]),
        ("since=24h", ["bad", "good"]),
        ("q=queue:slow", ["good"]),
        ("order=oldest", ["bad", "good", "old"]),
    ],
)
def test_filters_and_search_live_in_the_address(client, query, found):
    from tasks.filters import first_id_at

    now = timezone.now()
    old = first_id_at(now - timedelta(days=5))
    Task.objects.create(pk=old, task_type="NOOP", name="old", created_at=now - timedelta(days=5))
    Task.objects.create(task_type="NOOP", name="good", status="SUCCESS", queue="slow", completed_at=now)
    Task.objects.create(task_type="NOOP", name="bad", status="FAILED", error_message="it broke", completed_at=now)
    page = client.get(f"/?{query}").content.decode()
    assert sorted(elements(page, "name")) == found


def test_an_unknown_qualifier_is_a_hint_and_no_error(client):
    page = client.get("/?q=colour:red&status=ODD").content.decode()
    assert "no qualifier" in page
    assert "was not understood" in page


def test_a_bad_time_is_a_hint(client):
    assert "is no time" in client.get("/?q=before:yesterdayish").content.decode()


def test_pages_lead_to_older_and_newer_tasks_and_show_each_once(client, make_task):
    made = [str(make_task("NOOP", name=f"task {number:02}").pk) for number in range(60)]
    seen, url = [], "/"
    for _page in range(3):
        page = client.get(url).content.decode()
        seen += re.findall(r'<tr role="row" id="task-([0-9a-f-]{36})"', page)
        older = re.search(r'href="(/\?before=[^"]+)"', page)
        url = older[1] if older else ""
    assert seen == made[::-1]
    assert not older
    back = client.get(re.search(r'href="(/\?after=[^"]+)"', page)[1]).content.decode()
    assert re.findall(r'<tr role="row" id="task-([0-9a-f-]{36})"', back) == made[::-1][25:50]


def test_a_chip_takes_its_filter_away(client, make_task):
    page = client.get("/?q=status:failed+broke&queue=slow").content.decode()
    chips = re.findall(r'<a class="button chip" href="([^"]*)"', page)
    assert chips == ["/?q=status%3Afailed+broke", "/?q=broke&amp;queue=slow", "/?q=status%3Afailed&amp;queue=slow"]


def test_a_chip_says_its_filter_in_words(client, db):
    page = client.get("/?q=queue:slow&since=7d").content.decode()
    assert elements(page, "chip") == ["Period: last 7 days Remove", "Queue: slow Remove"]


def test_the_title_tells_of_failures(client, make_task):
    assert "<title>Tasks - TaskHub</title>" in client.get("/").content.decode()
    make_task(status="FAILED")
    cache.clear()
    page = client.get("/").content.decode()
    assert "<title>(1 failed) Tasks - TaskHub</title>" in page
    assert 'data-title="(1 failed) Tasks - TaskHub"' in client.get("/tasks/_table/").content.decode()


def test_who_runs_the_hub_reads_once_that_it_is_local_and_keeps_its_mail(client, db, settings):
    page = client.get("/").content.decode()
    assert "on this machine alone" in page
    assert "EMAIL_URL names no mail server" in page
    client.post("/preferences/", {"setup": "local-mail"})
    assert "on this machine alone" not in client.get("/").content.decode()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    page = client.get("/").content.decode()  # something else is so now
    assert "on this machine alone" in page
    assert "EMAIL_URL" not in page


def test_how_the_hub_is_set_up_is_the_business_of_staff(owners_browser, staff_browser):
    assert "EMAIL_URL" not in owners_browser.get("/").content.decode()
    page = staff_browser.get("/").content.decode()
    assert "EMAIL_URL" in page
    assert "on this machine alone" not in page


def test_a_search_says_how_far_it_looked(client, make_task, monkeypatch):
    monkeypatch.setattr("tasks.filters.REACH", 10)
    monkeypatch.setattr("tasks.web.listing.Listing.reach", 10)
    make_task("NOOP", name="needle")
    for number in range(15):
        make_task("NOOP", name=f"hay {number}")
    page = client.get("/?q=needle").content.decode()
    assert "Searched 10 tasks" in page
    further = re.search(r'id="further">.*?href="([^"]+)"', page, re.DOTALL)[1].replace("&amp;", "&")
    assert elements(client.get(further).content.decode(), "name") == ["needle"]


def test_an_empty_hub_offers_the_kinds_of_task(client, db):
    page = client.get("/").content.decode()
    assert "No tasks yet" in page
    assert "/tasks/new/EMAIL_SIMULATION/" in page
    assert "/tasks/new/NOOP/" not in page  # hidden types are not offered


def test_waiting_work_without_a_worker_is_said_on_every_page(client, make_task):
    make_task("NOOP")
    assert "manage.py qcluster" in client.get("/tasks/new/").content.decode()


@pytest.mark.parametrize("url", ["/", "/tasks/_table/", "/tasks/_counts/", "/tasks/new/", "/workers/"])
def test_pages_carry_nothing_inline_and_are_not_kept(client, make_task, url):
    make_task("NOOP", name="<script>alert(1)</script>", status="FAILED", error_message="<img src=x onerror=alert(1)>")
    answer = client.get(url)
    assert inline_code(answer.content.decode()) == []
    assert "no-store" in answer.headers["Cache-Control"]


def test_an_empty_tab_of_failed_tasks_says_when_something_failed_last(
    owners_browser, strangers_browser, owner, make_task
):
    def said(client, query="status=FAILED"):
        return visible_text(client.get(f"/?{query}").content.decode())

    retried = make_task("NOOP", name="tried again", status="SUCCESS", owner=owner, completed_at=timezone.now())
    TaskAttempt.objects.create(task=retried, outcome="cancelled")
    assert "Last failure: never" in said(owners_browser)
    TaskAttempt.objects.create(task=retried, outcome="failed", ended_at=timezone.now() - timedelta(hours=2))
    assert "Last failed try: 2 h ago, tried again" in said(owners_browser)
    assert "Last failure: never" in said(strangers_browser)
    assert "Last fail" not in said(owners_browser, "status=FAILED&q=kind:noop")
