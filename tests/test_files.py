"""TaskHub promises that a file lies where no name leads it, and goes when nothing names it any more."""

from __future__ import annotations

import io
import os
import uuid
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.exceptions import ValidationError

from tasks import files, lifecycle
from tasks.models import Task, TaskFile


def campaign(owner=None, recipients=None):
    upload = recipients or SimpleUploadedFile("../../etc/people.csv", b"email\na@example.org\n")
    return lifecycle.submit("EMAIL_CAMPAIGN", {"subject": "s", "body": "b", "recipients": upload}, by=owner)


@pytest.mark.django_db
def test_an_upload_lies_under_its_id_whatever_its_name(settings):
    row = campaign().files.get()
    path = Path(row.content.path)
    assert path.parent.parent == settings.DATA_DIR / "files"
    assert (path.name, row.name) == (f"{row.pk}.csv", "people.csv")
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [b"text", "text", io.BytesIO(b"text")])
def test_a_handler_may_save_bytes_text_or_what_can_be_read(content, db):
    row = files.save_output(uuid.uuid4(), "a.txt", content, claim=7)
    assert (Path(row.content.path).read_bytes(), row.size, row.content_type) == (b"text", 4, "text/plain")


def test_a_path_is_moved_not_copied(tmp_path, db):
    draft = tmp_path / "draft"
    draft.write_text("text")
    inode = os.stat(draft).st_ino
    row = files.save_output(uuid.uuid4(), "a.txt", draft, claim=7)
    assert not draft.exists()
    assert os.stat(row.content.path).st_ino == inode


@pytest.mark.parametrize(("name", "suffix"), [("a.CSV", ".csv"), ("a", ""), ("a.b/c", ""), ("a.verylongone", "")])
def test_a_stored_name_ends_only_in_a_short_plain_suffix(name, suffix):
    assert TaskFile(name=name).suffix == suffix


def test_a_file_of_somebody_elses_cannot_be_used(owner, stranger):
    mine = campaign(owner).files.get()
    with pytest.raises(ValidationError) as caught:
        campaign(stranger, str(mine.pk))
    assert caught.value.detail == {"parameters": {"recipients": [f"There is no file {mine.pk}."]}}


def test_a_file_that_is_used_again_fits_its_parameter_too(owner):
    table = lifecycle.submit("DATA_PROCESSING", {"file": SimpleUploadedFile("t.json", b'{"a": 1}')}, by=owner)
    with pytest.raises(ValidationError) as caught:
        campaign(owner, str(table.files.get().pk))
    assert "t.json" in str(caught.value.detail["parameters"]["recipients"])
    assert Task.objects.get() == table


@pytest.mark.django_db
def test_a_refused_submit_leaves_no_file(settings):
    before = set((settings.DATA_DIR / "files").rglob("*.csv"))
    with pytest.raises(ValidationError):
        lifecycle.submit("EMAIL_CAMPAIGN", {"recipients": SimpleUploadedFile("a.csv", b"email\na@b.de\n")})
    assert set((settings.DATA_DIR / "files").rglob("*.csv")) == before


def test_content_that_two_tasks_name_goes_with_the_second(owner, django_capture_on_commit_callbacks):
    first = campaign(owner)
    path = Path(first.files.get().content.path)
    second = lifecycle.retry(lifecycle.cancel(first), by=owner)
    assert second.files.get().content.path == str(path)
    for task, left in ((first, True), (second, False)):
        if not task.is_final:
            lifecycle.cancel(task)
        with django_capture_on_commit_callbacks(execute=True):
            lifecycle.delete(task)
        assert path.exists() is left


def test_a_content_that_no_row_names_goes_once_it_is_old(db):
    named = Path(campaign().files.get().content.path)
    old, young = named.with_name(f"{uuid.uuid4()}.csv"), named.with_name(f"{uuid.uuid4()}.csv")
    for path in (old, young):
        path.write_text("left by a process that was killed")
    for path in (old, named):
        os.utime(path, (0, 0))
    assert files.forget_strays(named.parent.name) == 1
    assert (old.exists(), young.exists(), named.exists()) == (False, True, True)
