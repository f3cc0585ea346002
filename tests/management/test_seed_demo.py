"""Made-up tasks for a look at a full hub."""

from __future__ import annotations

import pytest
from django.core.management import call_command

from tasks.models import Task
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
