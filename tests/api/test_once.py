"""A submit that is sent again under its key makes no second task."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone

from tasks import access, lifecycle
from tasks.accounts.models import SubmitKey
from tasks.api import once
from tasks.engine.upkeep import further_duties
from tasks.models import Task, TaskFile

pytestmark = pytest.mark.django_db


def submit(client, key="a", path="/api/tasks/submit", **fields):
    body = {"task_type": "NOOP"} | fields
    return client.post(path, body, content_type="application/json", headers={"idempotency-key": key})


def test_the_same_key_and_body_give_the_same_task(client):
    first, second = submit(client), submit(client)
    assert first.status_code == second.status_code == 201
    assert first.json()["id"] == second.json()["id"]
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert Task.objects.count() == 1


def test_the_same_body_by_another_path_is_the_same(client):
    assert submit(client).json()["id"] == submit(client, path="/api/tasks/").json()["id"]


@pytest.mark.parametrize("change", [{"parameters": {"x": 1}}, {"name": "Mine"}, {"task_type": "EMAIL_SIMULATION"}])
def test_the_same_key_with_another_body_answers_422(client, change):
    submit(client)
    answer = submit(client, **change)
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == ["Idempotency-Key"]
    assert Task.objects.count() == 1


def test_other_keys_and_no_key_make_other_tasks(client):
    for key in ("a", "b", "", ""):
        submit(client, key)
    assert Task.objects.count() == 4


def test_a_refused_submit_leaves_its_key_free(client):
    assert submit(client, priority=10**6).status_code == 422
    assert submit(client, task_type="UNHEARD_OF").status_code == 422
    assert submit(client).status_code == 201


def test_nobody_waits_for_a_submit_that_is_still_being_checked(client, monkeypatch):
    def checked(*arguments):
        assert not connection.in_atomic_block or connection.savepoint_ids == outer
        return prepare(*arguments)

    prepare, outer = lifecycle.prepare, list(connection.savepoint_ids)
    monkeypatch.setattr(lifecycle, "prepare", checked)
    assert submit(client).status_code == 201


def test_keys_of_two_people_are_apart(client, settings, owner, stranger):
    settings.ACCESS = "login"
    client.force_login(owner)
    submit(client)
    client.force_login(stranger)
    assert submit(client).json()["owner"] == "stranger"
    assert Task.objects.count() == 2


def test_a_file_of_another_content_is_another_body(client):
    def upload(content):
        body = {"task_type": "IMAGE_PROCESSING", "images": SimpleUploadedFile("a.png", content)}
        return client.post("/api/tasks/submit", body, headers={"idempotency-key": "a"})

    assert upload(b"one").json()["id"] == upload(b"one").json()["id"]
    assert upload(b"two").status_code == 422
    assert TaskFile.objects.count() == 1


def test_the_key_of_a_task_that_is_gone_is_free(client):
    first = submit(client).json()["id"]
    Task.objects.all().delete()
    second = submit(client)
    assert second.status_code == 201
    assert second.json()["id"] != first


def test_a_key_that_is_too_long_answers_422(client):
    assert submit(client, "x" * 201).status_code == 422


def test_keys_are_forgotten_after_a_week(client):
    submit(client)
    SubmitKey.objects.update(created_at=timezone.now() - timedelta(days=8))
    submit(client, "b")
    assert list(SubmitKey.objects.values_list("key", flat=True)) == ["b"]


def test_keys_of_people_who_submit_nothing_any_more_are_forgotten_too(client):
    submit(client)
    submit(client, "b")
    SubmitKey.objects.filter(key="b").update(created_at=timezone.now() - timedelta(days=8))
    [forget] = [duty.do for duty in further_duties if duty.do is once.forget_old]
    forget()
    assert not SubmitKey.objects.filter(key="b").exists()
    assert SubmitKey.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_submit_many_times_at_once_makes_one_task():
    access.local_user()

    def once(_number):
        try:
            return submit(Client()).json()["id"]
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(once, range(6)))) == 1
    assert Task.objects.count() == 1
