"""A file's way to whoever may have it: whole, in parts, and harmless."""

from __future__ import annotations

import pytest
from django.core.files.base import ContentFile

from tasks.models import TaskFile

pytestmark = pytest.mark.django_db
CONTENT = bytes(range(200))


@pytest.fixture
def stored(make_task):
    """A published output of 200 bytes: `stored(name="a.png", content_type="image/png")`."""

    def store(name="report.csv", content_type="text/csv", **fields):
        row = TaskFile(
            task=make_task(), kind="output", name=name, size=len(CONTENT), content_type=content_type, **fields
        )
        row.content.save(name, ContentFile(CONTENT), save=False)
        row.save()
        return row

    return store


def body(answer):
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def test_a_file_is_an_attachment_under_its_own_name(client, stored):
    answer = client.get(f"/api/files/{stored(name='über uns.csv').pk}")
    assert answer.status_code == 200
    assert answer["Content-Disposition"] == "attachment; filename*=utf-8''%C3%BCber%20uns.csv"
    assert answer["Content-Type"] == "text/csv"
    assert body(answer) == CONTENT


def test_a_download_can_do_nothing_in_a_browser(client, stored):
    answer = client.get(f"/api/files/{stored(name='x.html', content_type='text/html').pk}")
    assert "sandbox" in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Disposition"].startswith("attachment")
    body(answer)


@pytest.mark.parametrize(
    ("content_type", "shown"),
    [("image/png", True), ("image/webp", True), ("image/svg+xml", False), ("text/html", False), ("text/plain", False)],
)
def test_only_harmless_images_are_shown_in_place(client, stored, content_type, shown):
    answer = client.get(f"/files/{stored(content_type=content_type).pk}/?inline")
    assert answer["Content-Disposition"].startswith("inline" if shown else "attachment")
    body(answer)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=190-", 190, 199),
        ("bytes=190-5000", 190, 199),
        ("bytes=-10", 190, 199),
        ("bytes=-5000", 0, 199),
    ],
)
def test_a_part_is_sent_alone(client, stored, asked, first, last):
    answer = client.get(f"/api/files/{stored().pk}", headers={"range": asked})
    assert answer.status_code == 206
    assert answer["Content-Range"] == f"bytes {first}-{last}/200"
    assert answer["Content-Length"] == str(last - first + 1)
    assert body(answer) == CONTENT[first : last + 1]


@pytest.mark.parametrize("asked", ["bytes=200-", "bytes=5000-6000", "bytes=-0"])
def test_a_part_beyond_the_end_answers_416(client, stored, asked):
    answer = client.get(f"/api/files/{stored().pk}", headers={"range": asked})
    assert answer.status_code == 416
    assert answer["Content-Range"] == "bytes */200"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=", "bytes=-", "lines=1-2", "bytes=9-3", "bytes=a-b"])
def test_what_is_no_single_range_gets_the_whole_file(client, stored, asked):
    answer = client.get(f"/api/files/{stored().pk}", headers={"range": asked})
    assert (answer.status_code, body(answer)) == (200, CONTENT)


def test_a_part_of_another_version_is_not_mixed_in(client, stored):
    path = f"/api/files/{stored().pk}"
    whole = client.get(path)
    assert body(whole) == CONTENT
    for tag, length in ((whole["ETag"], 10), ('"other"', 200)):
        answer = client.get(path, headers={"range": "bytes=0-9", "if-range": tag})
        assert len(body(answer)) == length


def test_a_file_that_is_not_published_yet_is_not_there(client, stored):
    assert client.get(f"/api/files/{stored(claim=7).pk}").status_code == 404


def test_a_file_of_a_task_one_may_not_see_is_not_there(client, settings, stored, stranger):
    settings.ACCESS = "login"
    client.force_login(stranger)
    assert client.get(f"/api/files/{stored().pk}").status_code == 404
