"""The client against a running server."""

from __future__ import annotations

import io
import threading
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.utils import timezone

from tasks import access, lifecycle
from tasks.accounts import tokens
from tasks.api import waiting
from tasks.client import TaskFailed, TaskHub, TaskHubError
from tasks.models import Task, TaskFile, TaskLogLine

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hub(live_server):
    access.remembered.forget()
    with TaskHub(live_server.url) as hub:
        yield hub


def later(act, *arguments):
    """Does this from another thread in a moment, as a worker or another person would."""

    def run():
        try:
            act(*arguments)
        finally:
            connection.close()

    timer = threading.Timer(0.3, run)
    timer.start()
    return timer


# --- submit


def test_a_submit_gives_the_pending_task(hub):
    later_on = timezone.now() + timedelta(hours=1)
    task = hub.submit("NOOP", {"x": 7}, name="Mine", priority=3, run_at=later_on)
    assert (task.status, task.name, task.progress, task.is_final) == ("PENDING", "Mine", 0, False)
    stored = Task.objects.get(pk=task.id)
    assert (stored.parameters, stored.priority, stored.run_at) == ({"x": 7}, 3, later_on)


@pytest.mark.parametrize("kind", [Path, str])
@pytest.mark.parametrize("count", [1, 2])
def test_files_go_along_under_their_parameters_name(hub, tmp_path, count, kind):
    paths = [tmp_path / f"{number}.png" for number in range(count)]
    for path in paths:
        path.write_bytes(path.name.encode())
    given = [kind(path) for path in paths]
    task = hub.submit("IMAGE_PROCESSING", {"quality": 50}, files={"images": given if count > 1 else given[0]})
    assert [file.name for file in hub.files(task)] == [path.name for path in paths]
    assert Task.objects.get(pk=task.id).parameters["quality"] == 50


def test_the_same_key_gives_the_same_task(hub):
    assert hub.submit("NOOP", key="a") == hub.submit("NOOP", key="a")


def test_many_are_submitted_at_once(hub):
    ids = hub.submit_many({"task_type": "NOOP", "parameters": {"x": number}} for number in range(5))
    assert [Task.objects.get(pk=task_id).parameters["x"] for task_id in ids] == list(range(5))


def test_a_refusal_says_what_is_wrong_field_by_field(hub):
    with pytest.raises(TaskHubError) as refused:
        hub.submit("NOOP", {"x": "many"})
    assert refused.value.status == 422
    assert "x" in refused.value.errors["parameters"]
    assert "parameters.x" in str(refused.value)


# --- look


def test_all_tasks_come_page_after_page(hub, make_task):
    ids = [str(make_task(status="FAILED").pk) for _ in range(5)]
    make_task(status="SUCCESS")
    assert [task.id for task in hub.tasks(status="FAILED")] == ids[::-1]
    assert [task.id for task in hub.tasks(status="FAILED", limit=2)] == ids[:2:-1]


def test_a_task_that_is_not_there_is_an_error(hub):
    with pytest.raises(TaskHubError) as refused:
        hub.get("01890000-0000-7000-8000-000000000000")
    assert refused.value.status == 404


def test_the_log_comes_whole_and_from_a_line_on(hub, make_task):
    task = make_task()
    TaskLogLine.objects.bulk_create(TaskLogLine(task=task, seq=n, message=f"line {n}") for n in range(1, 1203))
    assert [line.seq for line in hub.log(str(task.pk))] == list(range(1, 1203))
    assert [line.message for line in hub.log(str(task.pk), after=1201)] == ["line 1202"]


def test_a_file_is_downloaded_under_its_own_name_and_replaces_another_only_once_it_is_there(hub, make_task, tmp_path):
    task = make_task(status="SUCCESS")
    row = TaskFile(task=task, kind="output", name="report.csv", size=3)
    row.content.save("report.csv", ContentFile(b"abc"), save=False)
    row.save()
    [file] = hub.files(str(task.pk))
    path = hub.download(file, tmp_path / "results")
    assert (path.name, path.read_bytes()) == ("report.csv", b"abc")
    row.delete()
    path.write_bytes(b"mine")
    with pytest.raises(TaskHubError) as refused:
        hub.download(file, tmp_path / "results")
    assert refused.value.status == 404
    assert [(one.name, one.read_bytes()) for one in path.parent.iterdir()] == [("report.csv", b"mine")]


def test_the_task_types_have_their_schemas(hub):
    assert hub.task_types()["NOOP"]["properties"]["x"]["type"] == "integer"


# --- wait and act


def test_waiting_ends_when_the_task_does(hub, make_task):
    task = make_task(status="RUNNING")
    timer = later(lifecycle.cancel, task)
    with pytest.raises(TaskFailed, match="CANCELLED"):
        hub.wait(str(task.pk), timeout=60)
    timer.join()


def test_waiting_for_one_that_succeeded_gives_its_result(hub, make_task):
    task = make_task(status="SUCCESS", result_data={"rows": 3}, progress=100, completed_at=timezone.now())
    done = hub.wait(str(task.pk))
    assert done.result_data == {"rows": 3}
    assert done.completed_at.tzinfo is not None


def test_a_failure_has_the_tasks_own_words(hub, make_task):
    with pytest.raises(TaskFailed) as failed:
        hub.wait(str(make_task(status="FAILED", name="Sales", error_message="No such column.").pk))
    assert str(failed.value) == "Sales is FAILED. No such column."


def test_waiting_too_long_is_an_error(hub, make_task):
    with pytest.raises(TimeoutError):
        hub.wait(str(make_task(status="RUNNING").pk), timeout=0.1)


def test_a_hub_where_too_many_wait_is_not_asked_without_a_pause(hub, make_task, monkeypatch):
    monkeypatch.setattr(waiting, "places", threading.Semaphore(0))
    asked, ask = [], hub._ask
    monkeypatch.setattr(hub, "_ask", lambda *what, **more: asked.append(what) or ask(*what, **more))
    with pytest.raises(TimeoutError):
        hub.wait(str(make_task(status="RUNNING").pk), timeout=1.2)
    assert len(asked) <= 4


def test_progress_is_drawn_as_it_goes(hub, make_task):
    terminal = io.StringIO()
    hub.wait(str(make_task(status="SUCCESS", progress=100, progress_message="3 rows").pk), show=terminal)
    assert terminal.getvalue() == f"SUCCESS   {'█' * 30} 100 %  3 rows\n"


def test_a_terminal_is_drawn_over(hub, make_task):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    task = make_task(status="RUNNING", progress=50)
    with pytest.raises(TimeoutError):
        hub.wait(str(task.pk), timeout=0.1, show=terminal)
    assert terminal.getvalue() == f"\r\x1b[KRUNNING   {'█' * 15}{'░' * 15}  50 %"


def test_a_task_is_cancelled_retried_and_deleted(hub):
    task = hub.submit("NOOP")
    hub.cancel(task)
    assert hub.get(task).status == "CANCELLED"
    assert hub.retry(task).id != task.id
    hub.delete(task)
    with pytest.raises(TaskHubError):
        hub.get(task)


# --- access


def test_a_token_is_sent_along(live_server, settings, owner):
    settings.ACCESS = "login"
    _token, text = tokens.make(owner, "laptop", 1)
    with TaskHub(live_server.url, text) as hub:
        assert hub.submit("NOOP").raw["owner"] == "owner"
    with TaskHub(live_server.url) as stranger, pytest.raises(TaskHubError) as refused:
        stranger.submit("NOOP")
    assert refused.value.status == 401


def test_no_answer_is_an_error_of_httpx():
    with TaskHub("http://127.0.0.1:1") as hub, pytest.raises(httpx.ConnectError):
        hub.get("x")


@pytest.mark.cluster
def test_a_task_is_followed_to_its_result_on_a_whole_hub(start_hub, tmp_path):
    running = start_hub()
    with TaskHub(running.address) as hub:
        task = hub.submit("IMAGE_PROCESSING", {"num_images": 1, "target_size": "20x10"})
        done = hub.wait(task, timeout=60)
        assert done.result_data["processed_successfully"] == 1
        outputs = [file for file in hub.files(done) if file.kind == "output"]
        assert all(hub.download(file, tmp_path).stat().st_size == file.size for file in outputs)
        assert list(hub.log(done)) or outputs
