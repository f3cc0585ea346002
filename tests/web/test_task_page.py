"""One task's page and its live fragment."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from tasks.models import Cluster, Queue, Status, Task, TaskAttempt, TaskFile, TaskItem, TaskLogLine
from tasks.web.log import readable
from tests.web.pages import element, inline_code, visible_text

pytestmark = pytest.mark.django_db


def page_of(client, task, query="") -> str:
    answer = client.get(f"/tasks/{task.pk}/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def add_file(task, name="a.png", **fields) -> TaskFile:
    file = TaskFile(task=task, name=name, size=3, kind="output", **fields)
    file.content.save(name, ContentFile(b"abc"))
    return file


@pytest.mark.parametrize("status", Status)
def test_every_status_has_its_page_and_the_fragment_is_the_same(client, make_task, status):
    now = timezone.now()
    task = make_task(status=status, name="a task", started_at=now, completed_at=now, result_data={"rows": 3})
    TaskLogLine.objects.create(task=task, seq=1, message="began")
    page = page_of(client, task)
    fragment = client.get(f"/tasks/{task.pk}/_live/").content.decode()
    for html in (page, fragment):
        assert inline_code(html) == []
    same = [element(re.sub(r'value="[\w]{64}"', "", html), "task") for html in (page, fragment)]
    assert same[0] == same[1]


def test_a_poll_that_brings_nothing_new_is_answered_204(client, make_task, django_assert_max_num_queries):
    task = make_task(status="RUNNING", started_at=timezone.now())
    version = re.search(r'data-ver="([^"]+)"', page_of(client, task))[1]
    with django_assert_max_num_queries(3):
        assert client.get(f"/tasks/{task.pk}/_live/?v={version}").status_code == 204
    TaskLogLine.objects.create(task=task, seq=1, message="a line")
    assert client.get(f"/tasks/{task.pk}/_live/?v={version}").status_code == 200


def test_only_new_log_lines_are_sent_again(client, make_task):
    task = make_task(status="RUNNING", started_at=timezone.now())
    TaskLogLine.objects.bulk_create(TaskLogLine(task=task, seq=n, message=f"line {n}") for n in range(1, 11))
    fragment = client.get(f"/tasks/{task.pk}/_live/?after=8").content.decode()
    assert re.findall(r'id="L(\d+)"', fragment) == ["9", "10"]


def test_many_new_lines_come_in_several_answers_and_none_is_left_out(client, make_task):
    task = make_task(status="RUNNING", started_at=timezone.now())
    TaskLogLine.objects.bulk_create(TaskLogLine(task=task, seq=n, message=f"line {n}") for n in range(1, 1501))
    first = client.get(f"/tasks/{task.pk}/_live/?after=10").content.decode()
    version = re.search(r'data-ver="([^"]+)"', first)[1]
    second = client.get(f"/tasks/{task.pk}/_live/?after=1010&v={version}").content.decode()
    assert re.findall(r'id="L(\d+)"', second)[-1] == "1500"
    version = re.search(r'data-ver="([^"]+)"', second)[1]
    assert client.get(f"/tasks/{task.pk}/_live/?after=1500&v={version}").status_code == 204


def test_a_long_log_opens_at_its_end_and_earlier_lines_can_be_had(client, make_task):
    task = make_task(status="SUCCESS", completed_at=timezone.now())
    TaskLogLine.objects.bulk_create(TaskLogLine(task=task, seq=n, message=f"line {n}") for n in range(1, 1501))
    page = page_of(client, task)
    lines = re.findall(r'id="L(\d+)"', page)
    assert (lines[0], lines[-1], len(lines)) == ("501", "1500", 1000)
    assert "Load 500 earlier lines" in page
    earlier = client.get(f"/tasks/{task.pk}/_lines/?before=501").content.decode()
    assert len(re.findall(r'id="L(\d+)"', earlier)) == 500
    without_script = re.findall(r'id="L(\d+)"', page_of(client, task, "?to_line=501"))
    assert (without_script[0], without_script[-1]) == ("1", "500")
    assert client.get(f"/tasks/{task.pk}/log/").getvalue().decode().count("\n") == 1500


def test_hostile_text_stays_text(client, make_task):
    hostile = "<script>alert(1)</script>"
    task = make_task(
        name=hostile, status="FAILED", error_message=f"{hostile}\n{hostile}", completed_at=timezone.now(),
        parameters={"x": hostile}, progress_message=hostile, result_data={hostile: hostile},
    )  # fmt: skip
    TaskLogLine.objects.create(task=task, seq=1, message=f"\x1b[31m{hostile}\x1b[0m \u202eevil \x1b]0;title\x07end")
    TaskItem.objects.create(task=task, position=0, key=hostile, state="failed", error=hostile)
    add_file(task, f"{hostile}.txt")
    page = page_of(client, task)
    assert "<script>alert" not in page
    assert '<span class="ansi-31">&lt;script&gt;alert(1)&lt;/script&gt;</span>' in page
    assert "&lt;U+202E&gt;evil end" in page


@pytest.mark.parametrize(
    ("line", "html"),
    [
        ("\x1b[1;31mbold red\x1b[32m bold green\x1b[39m bold", '<span class="ansi-1 ansi-31">bold red</span>'
         '<span class="ansi-1 ansi-32"> bold green</span><span class="ansi-1"> bold</span>'),
        ("\x1b[4;33ma\x1b[24mb\x1b[mc", '<span class="ansi-4 ansi-33">a</span><span class="ansi-33">b</span>c'),
        ("\x1b[38;5;31ma\x1b[48;2;1;3;4mb", "ab"),
        ("\x1b[31;38;5;4ma", "a"),
        (f"\x1b[{'1' * 5000}ma", "a"),
        ("\x9b31ma", "&lt;U+009B&gt;31ma"),
    ],
)  # fmt: skip
def test_colours_of_a_log_line_follow_each_other_as_in_a_terminal(line, html):
    assert readable(line) == html


def test_a_failed_task_says_what_went_wrong_and_what_to_do(client, make_task):
    task = make_task(
        status="FAILED", error_message="Line 7 is short", completed_at=timezone.now(), attempts=2, max_attempts=2
    )
    TaskAttempt.objects.create(
        task=task, outcome="failed", error="Line 7 is short", traceback="File handler.py, line 3"
    )
    words = visible_text(page_of(client, task))
    for expected in ("Line 7 is short", "What you can do", "Retry", "Attempts", "File handler.py"):
        assert expected in words


def test_tracebacks_are_for_staff(owners_browser, owner, make_task):
    task = make_task(status="FAILED", error_message="broke", owner=owner, completed_at=timezone.now())
    TaskAttempt.objects.create(task=task, outcome="failed", error="broke", traceback="secret/path.py")
    assert "secret/path.py" not in page_of(owners_browser, task)


def test_a_stranger_gets_404_for_everything_of_a_task(strangers_browser, owner, make_task):
    task = make_task(status="FAILED", owner=owner, completed_at=timezone.now())
    file = add_file(task)
    unknown = uuid.uuid4()
    for path in ("", "_live/", "_lines/", "log/", "items.csv", "delete/"):
        assert strangers_browser.get(f"/tasks/{task.pk}/{path}").status_code == 404
    assert strangers_browser.get(f"/files/{file.pk}/").status_code == 404
    for act in ("cancel", "retry", "again", "delete"):
        assert strangers_browser.post(f"/tasks/{task.pk}/{act}/").status_code == 404
    there, not_there = (strangers_browser.get(f"/tasks/{key}/").content for key in (task.pk, unknown))
    strip = re.compile(rb"[0-9a-f]{32}|[\w]{64}|" + str(task.pk).encode() + b"|" + str(unknown).encode())
    assert strip.sub(b"", there) == strip.sub(b"", not_there)


def test_a_file_is_an_attachment_and_only_a_picture_is_shown_in_place(client, make_task):
    task = make_task(status="SUCCESS", completed_at=timezone.now())
    picture = add_file(task, "a.png", content_type="image/png")
    page = add_file(task, "a.svg", content_type="image/svg+xml")
    shown = client.get(f"/files/{picture.pk}/?inline")
    kept = client.get(f"/files/{page.pk}/?inline")
    assert shown["Content-Disposition"].startswith("inline")
    assert kept["Content-Disposition"].startswith("attachment")
    for answer in (shown, kept):
        assert "sandbox" in answer["Content-Security-Policy"]
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer.getvalue() == b"abc"


def test_what_a_running_try_has_saved_is_not_shown_yet(client, make_task):
    task = make_task(status="RUNNING", started_at=timezone.now(), claim=5)
    file = add_file(task, "early.csv", claim=5)
    assert "early.csv" not in page_of(client, task)
    assert client.get(f"/files/{file.pk}/").status_code == 404


def test_a_long_log_opens_with_its_last_lines_and_gives_the_earlier_ones(client, make_task):
    task = make_task(status="SUCCESS", completed_at=timezone.now())
    TaskLogLine.objects.bulk_create(TaskLogLine(task=task, seq=n, message=f"line {n}") for n in range(1, 10_001))
    page = page_of(client, task)
    assert numbers(page) == list(range(9_001, 10_001))
    assert "Load 9,000 earlier lines" in page
    url = f"/tasks/{task.pk}/_lines/?before="
    before, seen = 9_001, []
    while before > 1:
        seen = numbers(client.get(f"{url}{before}").content.decode()) + seen
        before = seen[0]
    assert seen == list(range(1, 9_001))
    assert numbers(client.get(f"{url}1").content.decode()) == []


def numbers(html: str) -> list[int]:
    return [int(number) for number in re.findall(r'<li id="L(\d+)"', html)]


def alive(**fields) -> Cluster:
    lease = timezone.now() + timedelta(seconds=15)
    return Cluster.objects.create(id="c", host="h", hostname="hub-a", pid=1, lease_expires_at=lease, **fields)


def why(client, task) -> str:
    return visible_text(page_of(client, task))


def test_a_waiting_task_says_that_no_worker_runs_and_how_to_start_one(client, make_task):
    assert "No worker is running. Start one: python manage.py qcluster" in why(client, make_task())


def test_a_waiting_task_says_that_no_worker_serves_its_queue(client, make_task):
    alive(queues=["mail"])
    assert "none of them serves the queue slow" in why(client, make_task(queue="slow"))


def test_a_waiting_task_says_that_its_queue_is_paused(client, make_task):
    alive()
    Queue.objects.create(name="slow", paused_at=timezone.now())
    assert "Its queue, slow, is paused." in why(client, make_task(queue="slow"))


def test_a_waiting_task_says_when_it_is_due(client, make_task):
    alive()
    due = timezone.now() + timedelta(hours=2, minutes=5)
    assert "It is scheduled: it starts in 2 h" in why(client, make_task(run_at=due, waits_for="time"))


def test_a_waiting_task_says_that_it_will_be_tried_again(client, make_task):
    alive()
    due = timezone.now() + timedelta(seconds=40)
    task = make_task(run_at=due, waits_for="time", attempts=1, max_attempts=3)
    assert "Attempt 2 starts in" in why(client, task)


def test_a_waiting_task_names_the_task_it_waits_for(client, make_task):
    alive()
    old = make_task(status="CANCELLED", claim=1, completed_at=timezone.now())
    page = page_of(client, make_task(waits_for="task", retry_of=old))
    assert "has let go of its worker" in page
    assert f"/tasks/{old.pk}/" in page


def test_a_waiting_task_says_how_many_are_ahead_of_it(client, make_task):
    alive(workers=[{"pid": 1, "task": "x"}])
    now = timezone.now()
    for priority, due in ((5, now), (0, now - timedelta(minutes=1)), (-5, now - timedelta(minutes=2))):
        make_task(priority=priority, run_at=due)
    words = why(client, make_task(run_at=now))
    assert "2 tasks are ahead of it. All 1 workers are busy." in words


def test_a_waiting_task_of_a_lost_type_says_so(client):
    alive()
    task = Task.objects.create(task_type="GONE")
    assert "No handler for GONE is installed." in why(client, task)


def test_items_are_shown_by_state_and_page(client, make_task):
    task = make_task(status="SUCCESS", completed_at=timezone.now(), result_data={})
    states = ["done", "failed", "unknown"]
    TaskItem.objects.bulk_create(
        TaskItem(task=task, position=n, key=f"key {n:03}", state=states[n % 3], error="=cmd()") for n in range(180)
    )
    page = page_of(client, task)
    assert page.count('id="item-') == 20
    assert "Retry only the failed" in page
    following = page_of(client, task, re.search(r'(\?from=\d+)#items">Next', page)[1])
    assert "key 020" in following
    assert "key 019" not in following
    failed = page_of(client, task, "?items=failed")
    assert failed.count('id="item-') == 20
    assert "key 000" not in failed
    exported = client.get(f"/tasks/{task.pk}/items.csv").getvalue().decode()
    assert exported.count("\n") == 181
    assert '"\'=cmd()"' in exported  # no spreadsheet takes it for a formula


@pytest.mark.parametrize(
    ("status", "title"), [("RUNNING", "35 % a task"), ("SUCCESS", "Success: a task"), ("FAILED", "Failed: a task")]
)
def test_the_title_tells_how_the_task_is(client, make_task, status, title):
    task = make_task(status=status, name="a task", progress=35, started_at=timezone.now())
    page = page_of(client, task)
    assert f"<title>{title} - TaskHub</title>" in page
    assert f'data-title="{title} - TaskHub"' in page


def test_parameters_stand_in_the_forms_order_and_only_if_they_say_something(client, make_task):
    given = {
        "sheet": "",
        "header": "auto",
        "num_rows": 5,
        "processing_time": 2.0,
        "clean_copy": False,
        "separator": "tab",
    }
    task = make_task("DATA_PROCESSING", parameters=given)
    shown = " ".join(part for part in element(page_of(client, task), "parameters") if isinstance(part, str))
    assert shown == ("Parameters Separator tab Header find out Clean copy no Sample rows 5 Processing time 2")


def test_the_timeline_never_counts_backwards(client, make_task):
    now = timezone.now()
    task = make_task(
        status="SUCCESS", created_at=now, started_at=now - timedelta(seconds=3), completed_at=now - timedelta(seconds=5)
    )
    assert not re.search(r"-\d", visible_text(page_of(client, task)).replace(str(task.pk), ""))


def test_the_page_costs_the_same_with_more_of_everything(client, make_task, django_assert_max_num_queries):
    task = make_task(status="SUCCESS", completed_at=timezone.now(), result_data={"a": 1})
    TaskItem.objects.bulk_create(TaskItem(task=task, position=n, key=str(n)) for n in range(60))
    TaskLogLine.objects.bulk_create(TaskLogLine(task=task, seq=n, message="x") for n in range(1, 60))
    for number in range(10):
        add_file(task, f"{number}.png", content_type="image/png")
    with django_assert_max_num_queries(17):
        page_of(client, task)


def test_a_result_of_an_older_version_is_shown_plainly(client, make_task):
    for kind in ("DATA_PROCESSING", "EMAIL_SIMULATION", "IMAGE_PROCESSING", "EMAIL_CAMPAIGN"):
        task = make_task(
            kind, status="SUCCESS", completed_at=timezone.now(), result_data={"rows_processed": [None, "seven"]}
        )
        assert "seven" in page_of(client, task)
