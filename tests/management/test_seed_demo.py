"""Made-up tasks for a look at a full hub."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection

from tasks import registry
from tasks.management.demo import KINDS
from tasks.models import Status, Task
from tasks.stats import answer

pytestmark = pytest.mark.django_db


def seed(capsys: pytest.CaptureFixture[str], tasks: int, seed: int = 42) -> None:
    call_command("seed_demo", tasks=tasks, seed=seed)
    assert f"{tasks} tasks made" in capsys.readouterr().out


def test_a_hub_is_filled_and_its_statistics_know(capsys, client):
    seed(capsys, 300)
    assert Task.objects.count() == 300
    month = answer("30d")
    assert month.total.finished + month.before.finished == 300
    assert client.get("/").status_code == client.get("/stats/").status_code == 200


def test_the_same_seed_makes_the_same_tasks(capsys):
    names = []
    for number in (7, 7, 8):
        Task.objects.all().delete()
        seed(capsys, 50, number)
        names.append(list(Task.objects.order_by("id").values_list("name", flat=True)))
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize("task_type", [kind.task_type for kind in KINDS])
def test_a_result_is_whole_and_its_page_shows_it_in_the_own_way_of_its_type(task_type, capsys, client, caplog):
    seed(capsys, 100)
    declared = registry.get(task_type).result
    titles = {"DATA_PROCESSING": "table-title", "IMAGE_PROCESSING": "images-title"}
    for task in Task.objects.filter(task_type=task_type, status=Status.SUCCESS):
        # A made-up task has no files, so its images are in no archive.
        result = ({"archive": None} if task_type == "IMAGE_PROCESSING" else {}) | task.result_data
        assert declared(result).data.keys() == result.keys()  # raises where a field is missing, however deep
        page = client.get(f"/tasks/{task.pk}/").content.decode()
        assert f'id="{titles.get(task_type, "mail-title")}"' in page
        assert task.progress_message == registry.get(task_type).summarize(task.result_data)
    assert "cannot be shown" not in caplog.text


def test_old_tasks_have_a_short_result_so_that_a_million_fit(capsys, client, monkeypatch):
    monkeypatch.setattr("tasks.management.demo.WHOLE", 10)
    seed(capsys, 60)
    oldest = Task.objects.filter(status=Status.SUCCESS).order_by("id")[0]
    assert len(oldest.result_data) <= 3
    assert client.get(f"/tasks/{oldest.pk}/").status_code == 200


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="only on PostgreSQL: SQLite asks no statistics")
def test_the_planner_is_told_of_so_many_tasks(capsys):
    call_command("seed_demo", tasks=300)
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE relname = 'tasks_task'")
        assert cursor.fetchone() == (300,)
