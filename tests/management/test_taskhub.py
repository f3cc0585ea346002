"""`manage.py taskhub`: tasks from a shell."""

from __future__ import annotations

import io
import json
import subprocess
import threading
from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from tasks import lifecycle
from tasks.models import Task, TaskAttempt, TaskFile, TaskItem, TaskLogLine
from tests.hub import MANAGE, environment

pytestmark = pytest.mark.django_db


def run(*arguments):
    written = io.StringIO()
    call_command("taskhub", *arguments, stdout=written)
    return written.getvalue()


def test_a_submit_prints_the_id_and_belongs_to_the_local_user():
    task_id = run("submit", "NOOP", "-p", "x=7", "--name", "Mine", "--priority", "3").strip()
    task = Task.objects.get(pk=task_id)
    assert (task.parameters, task.name, task.priority, task.owner.username) == ({"x": 7}, "Mine", 3, "local")


def test_files_and_texts_go_along(tmp_path):
    picture = tmp_path / "a.png"
    picture.write_bytes(b"picture")
    run(
        "submit",
        "IMAGE_PROCESSING",
        "-p",
        "target_size=20x10",
        "--file",
        f"images={picture}",
        "--file",
        f"images={picture}",
    )
    task = Task.objects.get()
    assert task.parameters["target_size"] == "20x10"
    assert TaskFile.objects.filter(task=task, name="a.png").count() == 2


def test_a_submit_for_somebody_else_belongs_to_them(owner):
    run("--user", "owner", "submit", "NOOP")
    assert Task.objects.get().owner == owner


@pytest.mark.parametrize("text", ["2030-01-31T10:00", "2030-01-31T10:00+01:00", "2030-01-31 09:00Z"])
def test_a_time_without_its_zone_is_meant_in_the_hubs_own(text, settings):
    settings.TIME_ZONE = "Europe/Zurich"
    run("submit", "NOOP", "--run-at", text)
    assert Task.objects.get().run_at == datetime(2030, 1, 31, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["submit", "UNHEARD_OF"], "UNHEARD_OF"),
        (["submit", "NOOP", "-p", "x=many"], r"^parameters\.x: A valid integer is required\.$"),
        (["submit", "IMAGE_PROCESSING", "--file", "images=/no/such/file"], "No such file"),
        (["show", "abcdef12"], "No task"),
        (["--user", "nobody", "list"], "no user nobody"),
        (["list", "--type", "UNHEARD_OF"], "UNHEARD_OF"),
        (["list", "--limit", "-1"], "--limit must be at least 1"),
        (["submit", "NOOP", "--run-at", "tomorrow"], "'tomorrow' is no time"),
        (["submit", "NOOP", "--run-at", "2030-02-31T10:00"], "is no time"),
    ],
)
def test_what_is_wrong_is_said(arguments, words):
    with pytest.raises(CommandError, match=words):
        run(*arguments)
    assert not Task.objects.exists()


def test_the_list_is_filtered_as_on_the_page(make_task):
    wanted = make_task(status="FAILED", name="photos")
    make_task(status="SUCCESS", name="photos")
    make_task(status="FAILED", name="sales")
    for arguments in (["--status", "FAILED", "-q", "photos"], ["-q", "status:failed photos"]):
        [line] = run("list", *arguments).splitlines()
        assert str(wanted.pk) in line


def test_a_task_is_shown_whole_by_its_tail_with_its_secrets_masked(make_task):
    task = make_task(parameters={"password": "hunter2", "x": 1})
    shown = json.loads(run("show", task.short_id))
    assert shown["id"] == str(task.pk)
    assert shown["parameters"]["x"] == 1
    assert "hunter2" not in str(shown)


def test_a_task_is_shown_with_what_belongs_to_it_and_nothing_of_the_engines_own(make_task):
    task = make_task(status="SUCCESS")
    for position, state in enumerate(["done", "done", "failed"]):
        TaskItem.objects.create(task=task, position=position, key=str(position), state=state)
    TaskFile.objects.create(task=task, kind="output", name="report.csv", size=3)
    TaskFile.objects.create(task=task, kind="output", name="unfinished.csv", size=3, claim=7)
    TaskAttempt.objects.create(task=task, outcome="failed", error="No answer.")
    shown = json.loads(run("show", task.short_id))
    assert shown["items"] == {"done": 2, "failed": 1}
    assert [file["name"] for file in shown["files"]] == ["report.csv"]
    assert [attempt["error"] for attempt in shown["past_attempts"]] == ["No answer."]
    assert not {"claim", "parameters_digest"} & set(shown)


def test_tasks_are_cancelled_and_retried(make_task):
    tasks = [make_task() for _ in range(2)]
    run("cancel", *(task.short_id for task in tasks))
    assert set(Task.objects.values_list("status", flat=True)) == {"CANCELLED"}
    new = run("retry", str(tasks[0].pk)).strip()
    assert Task.objects.get(pk=new).retry_of == tasks[0]


def test_tasks_that_refuse_are_named_and_do_not_keep_the_others_from_it(make_task, capsys):
    ended, waiting = make_task(status="SUCCESS"), make_task()
    with pytest.raises(CommandError) as refused:
        call_command("taskhub", "cancel", ended.short_id, "abcdef12", waiting.short_id)
    assert str(refused.value).splitlines() == [
        f"{ended.short_id}: Cannot cancel a task that is SUCCESS.",
        "abcdef12: No task has the id abcdef12.",
    ]
    assert capsys.readouterr().out == f"{waiting.pk} is CANCELLED.\n"
    waiting.refresh_from_db()
    assert waiting.status == "CANCELLED"


def test_the_log_is_printed_whole(make_task):
    task = make_task(status="SUCCESS")
    for number in (1, 2):
        TaskLogLine.objects.create(task=task, seq=number, message=f"line {number}")
    assert [line.split("info")[1].strip() for line in run("log", "-f", task.short_id).splitlines()] == [
        "line 1",
        "line 2",
    ]


@pytest.mark.parametrize(("status", "code"), [("SUCCESS", None), ("FAILED", 1), ("CANCELLED", 1)])
def test_waiting_ends_with_a_code_that_a_script_can_use(make_task, status, code):
    task = make_task(status=status, error_message="No such column." if code else None)
    if code is None:
        assert run("wait", str(task.pk)).startswith("SUCCESS")
        return
    with pytest.raises(SystemExit) as ended:
        run("wait", str(task.pk))
    assert ended.value.code == code


def test_waiting_too_long_is_said(make_task):
    with pytest.raises(CommandError, match="still RUNNING"):
        run("wait", str(make_task(status="RUNNING").pk), "--timeout", "0")


@pytest.mark.parametrize("database", ["sqlite:///{}/empty.sqlite3", "postgres://nobody@127.0.0.1:1/none"])
@pytest.mark.parametrize("arguments", [["list"], ["submit", "NOOP"]])
def test_a_database_that_cannot_be_used_is_told_in_a_sentence(database, arguments, tmp_path):
    away = environment(tmp_path, DATABASE_URL=database.format(tmp_path))
    ended = subprocess.run([*MANAGE, "taskhub", *arguments], env=away, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith("CommandError: The database of DATABASE_URL cannot be used: ")
    assert "Traceback" not in ended.stderr


@pytest.mark.django_db(transaction=True)
def test_a_log_is_followed_to_the_end(make_task):
    task = make_task(status="RUNNING")

    def end():
        TaskLogLine.objects.create(task=task, seq=1, message="at last")
        lifecycle.cancel(task)
        connection.close()

    timer = threading.Timer(0.3, end)
    timer.start()
    assert "at last" in run("log", "--follow", str(task.pk))
    timer.join()


@pytest.mark.cluster
def test_a_submit_from_the_shell_is_run_by_the_hub(start_hub):

    hub = start_hub()
    command = [*MANAGE, "taskhub", "submit", "NOOP", "-p", "x=5", "--wait"]
    ran = subprocess.run(command, env=hub.environment, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "SUCCESS" in ran.stdout
