"""An upload that is too large is stopped before it fills the disk."""

from __future__ import annotations

import pytest
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tasks.models import Task
from tasks.uploads import FORM, LimitedUploadHandler

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def small_limit(settings):
    settings.MAX_UPLOAD_BYTES = 1000


def test_what_says_that_it_is_too_large_is_not_read_at_all():
    with pytest.raises(RequestDataTooBig):
        LimitedUploadHandler().handle_raw_input(None, {}, 1000 + FORM + 1)


def test_what_turns_out_too_large_is_stopped_on_the_way():
    handler = LimitedUploadHandler()
    assert handler.receive_data_chunk(b"x" * 1000, 0) == b"x" * 1000
    with pytest.raises(RequestDataTooBig):
        handler.receive_data_chunk(b"x", 1000)


def test_the_api_answers_413_to_it(client):
    files = {"task_type": "IMAGE_PROCESSING", "images": SimpleUploadedFile("a.png", b"x" * 1001)}
    answer = client.post("/api/tasks/submit", files)
    assert answer.status_code == 413
    assert answer.json()["title"]
    assert not Task.objects.exists()


def test_several_files_count_together(client):
    files = {"task_type": "IMAGE_PROCESSING", "images": [SimpleUploadedFile(f"{n}.png", b"x" * 600) for n in range(2)]}
    assert client.post("/api/tasks/submit", files).status_code == 413


def test_of_strangers_no_file_is_taken(settings):
    settings.ACCESS = "login"
    stranger = Client(enforce_csrf_checks=True)
    stranger.get("/sign-in/")
    token = stranger.cookies["csrftoken"].value
    for page in ("/sign-in/", "/livez"):
        answer = stranger.post(page, {"csrfmiddlewaretoken": token, "file": SimpleUploadedFile("a.bin", b"x" * 500)})
        assert answer.status_code == 413
    assert stranger.post("/sign-in/", {"csrfmiddlewaretoken": token, "username": "a"}).status_code == 200
