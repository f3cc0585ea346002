"""Forms for new tasks, made from each type's serializer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework import serializers

from tasks import registry
from tasks.models import Task, TaskFile
from tasks.parameters import FileParameter
from tasks.registry import task_type
from tests.web.pages import inline_code, visible_text

pytestmark = pytest.mark.django_db

FROM_A_SCRIPT = {"HTTP_HX_REQUEST": "true"}


class EveryField(serializers.Serializer):
    title = serializers.CharField(max_length=40, label="The title", help_text="What it is.")
    note = serializers.CharField(required=False, allow_blank=True, style={"base_template": "textarea.html"})
    count = serializers.IntegerField(default=3, min_value=1, max_value=1000)
    ratio = serializers.FloatField(required=False)
    colour = serializers.ChoiceField(choices=["red", "blue"], default="red")
    size = serializers.ChoiceField(choices=[str(n) for n in range(9)], default="4")
    keen = serializers.BooleanField(default=True)
    tags = serializers.ListField(child=serializers.CharField(), required=False)
    extra = serializers.JSONField(default=dict)
    at = serializers.DateTimeField(required=False)
    table = FileParameter(extensions=[".csv"], max_bytes=1000, required=False)


@pytest.fixture
def every_field():
    @task_type(
        "EVERY_FIELD", label="Every field", parameters=EveryField,
        sample=lambda: {"title": "sample", "table": ("a.csv", b"x\n1\n")},
    )  # fmt: skip
    def handler(context: Any, **parameters: Any) -> None:
        """Has a field of every kind."""

    yield "/tasks/new/EVERY_FIELD/"
    registry._types.pop("EVERY_FIELD")


def post(client, url, **values):
    return client.post(url, {"title": "t", "keen": ["false", "true"]} | values)


def test_every_field_has_a_label_and_its_help_tied_to_it(client, every_field):
    page = client.get(every_field).content.decode()
    assert inline_code(page) == []
    assert '<label for="field-title">The title <small>required</small></label>' in page
    assert 'aria-describedby="field-title-help"' in page
    assert 'min="1" max="1000"' in page
    assert 'type="radio" name="colour" value="red" checked' in page
    assert '<option value="4" selected>' in page
    assert 'accept=".csv"' in page
    for name in EveryField().fields:
        assert f'name="{name}"' in page


def test_a_form_starts_a_task_with_what_was_filled_in(client, every_field):
    answer = post(
        client, every_field, count="7", tags="one\r\n\r\ntwo", extra='{"a": 1}', at="2026-11-24T10:30",
        table=SimpleUploadedFile("t.csv", b"a\n1\n"),
        **{"option-name": "Named", "option-queue": "slow", "option-priority": "4", "option-max_attempts": "2"},
    )  # fmt: skip
    task = Task.objects.get()
    assert answer["Location"] == f"/tasks/{task.pk}/"
    parameters = task.parameters
    assert (parameters["count"], parameters["tags"], parameters["extra"]) == (7, ["one", "two"], {"a": 1})
    assert parameters["keen"] is True
    assert parameters["at"].startswith("2026-11-24T10:30")
    assert (task.name, task.queue, task.priority, task.max_attempts) == ("Named", "slow", 4, 2)
    assert task.files.get().name == "t.csv"


def test_a_form_that_is_sent_twice_starts_one_task(client, every_field):
    receipt = re.search(r'name="receipt" value="([^"]+)"', client.get(every_field).content.decode())[1]
    pages = {post(client, every_field, receipt=receipt)["Location"] for _time in range(2)}
    assert pages == {f"/tasks/{Task.objects.get().pk}/"}


def test_an_unticked_box_means_no(client, every_field):
    post(client, every_field, keen="false")
    assert Task.objects.get().parameters["keen"] is False


def test_wrong_input_comes_back_with_what_to_correct(client, every_field):
    answer = post(client, every_field, title="", count="1001", extra="{", **{"option-priority": "5000"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert not Task.objects.exists()
    words = visible_text(page)
    assert "4 things to correct" in words
    assert 'href="#field-count"' in page
    assert re.search(r'id="field-count"[^>]*value="1001"[^>]*aria-invalid="true"', page)
    assert 'id="field-count-error"' in page


def test_what_is_no_json_is_said_to_be_none(client, settings):
    answer = client.post("/tasks/new/HTTP_REQUEST/", {"url": "https://example.org", "headers": "Accept: text/plain"})
    assert answer.status_code == 422
    assert "This is not valid JSON." in visible_text(answer.content.decode())


def test_a_script_gets_the_form_alone(client, every_field):
    answer = client.post(every_field, {"title": ""}, **FROM_A_SCRIPT)
    assert answer.status_code == 422
    assert answer.content.decode().lstrip().startswith('<form class="stack loose" id="new-task"')
    done = client.post(every_field, {"title": "t"}, **FROM_A_SCRIPT)
    assert done["HX-Redirect"] == f"/tasks/{Task.objects.get().pk}/"


def test_a_hostile_file_name_stays_text(client, every_field):
    page = post(client, every_field, table=SimpleUploadedFile("<b>x.exe", b"1")).content.decode()
    assert "<b>x.exe" not in page
    assert "&lt;b&gt;x.exe is not of a type this takes" in page


def test_sample_data_is_one_click(client, every_field):
    client.post(every_field, {"sample": "1"})
    task = Task.objects.get()
    assert task.parameters["title"] == "sample"
    assert task.files.get().name == "a.csv"


def test_run_again_with_changes_shows_what_was_submitted_and_keeps_its_files(client, every_field):
    post(client, every_field, title="first", count="9", table=SimpleUploadedFile("t.csv", b"a\n1\n"))
    first = Task.objects.get()
    page = client.get(f"{every_field}?from={first.pk}").content.decode()
    file = first.files.get()
    assert 'value="first"' in page
    assert f'value="{file.pk}" checked' in page
    refused = post(client, every_field, title="", table=str(file.pk)).content.decode()
    assert f'value="{file.pk}" checked' in refused
    post(client, every_field, title="second", table=str(file.pk))
    assert Task.objects.exclude(pk=first.pk).get().files.get().name == "t.csv"


def test_another_persons_task_fills_no_form(strangers_browser, owner, make_task, every_field):
    task = make_task("EVERY_FIELD", owner=owner, parameters={"title": "a secret"})
    assert "a secret" not in strangers_browser.get(f"{every_field}?from={task.pk}").content.decode()


@pytest.mark.parametrize("name", ["NOOP", "NO_SUCH_TYPE"])
def test_hidden_and_unknown_types_have_no_form(client, name):
    assert client.get(f"/tasks/new/{name}/").status_code == 404


@pytest.mark.parametrize("kind", [kind for kind in registry.all_types() if not kind.hidden], ids=lambda kind: kind.name)
def test_every_offered_type_has_a_form_and_a_sample(client, kind):
    url = f"/tasks/new/{kind.name}/"
    assert client.get(url).status_code == 200
    if kind.sample:
        client.post(url, {"sample": "1"})
        assert Task.objects.get().task_type == kind.name


def test_an_empty_hub_starts_a_sample_of_each_kind_by_one_click(client):
    assert 'action="/tasks/new/samples/"' in client.get("/").content.decode()
    client.post("/tasks/new/samples/")
    started = set(Task.objects.values_list("task_type", flat=True))
    assert started == {kind.name for kind in registry.all_types() if kind.sample and not kind.hidden}


def test_a_sample_of_each_kind_that_would_be_too_many_is_refused_in_words(owners_browser, settings):
    settings.MAX_PENDING = 1
    assert "tasks waiting" in owners_browser.post("/tasks/new/samples/", follow=True).content.decode()
    assert not Task.objects.exists()


MAIL = {"option-queue": "default", "subject": "For $name", "body": "Hello"}
PEOPLE = b"email,name\nann@example.org,Ann\nnobody,Bo\n"


def preview(client, **values):
    people = SimpleUploadedFile("people.csv", PEOPLE)
    return client.post(
        "/tasks/new/EMAIL_CAMPAIGN/", MAIL | {"preview": "1", "recipients": people} | values.pop("data", {}), **values
    )


def stored_files(settings) -> set[str]:
    root = Path(settings.STORAGES["default"]["OPTIONS"]["location"])
    return {str(path) for path in root.rglob("*") if path.is_file()}


def test_a_preview_shows_above_the_form_what_its_task_would_do_and_keeps_nothing(client, settings):
    before = stored_files(settings)
    answer = preview(client)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert inline_code(page) == []
    for words in ("1 recipient", "For Ann", "Line 3, “nobody”", "Choose your files once more"):
        assert words in visible_text(page)
    assert page.index('id="preview"') < page.index('id="field-subject"')
    assert 'value="For $name"' in page
    assert not Task.objects.exists()
    assert stored_files(settings) == before


def test_a_script_gets_the_preview_with_the_form_alone(client):
    page = preview(client, **FROM_A_SCRIPT).content.decode()
    assert page.lstrip().startswith('<form class="stack loose" id="new-task"')
    assert "For Ann" in page
    assert "Choose your files once more" not in page  # its browser still has them


def test_a_preview_of_what_is_wrong_says_so_at_its_field(client):
    answer = preview(client, data={"subject": "", "recipients": SimpleUploadedFile("people.csv", b"name\nAnn\n")})
    assert answer.status_code == 422
    words = visible_text(answer.content.decode())
    assert "Subject: This field may not be blank." in words or "Subject: This field is required." in words


def test_a_preview_looks_into_the_file_of_an_earlier_task(client, make_task):
    client.post("/tasks/new/EMAIL_CAMPAIGN/", MAIL | {"recipients": SimpleUploadedFile("people.csv", PEOPLE)})
    file = Task.objects.get().files.get()
    page = preview(client, data={"recipients": str(file.pk)}).content.decode()
    assert "For Ann" in page
    assert f'value="{file.pk}" checked' in page
    file.content.save("people.csv", ContentFile(b"name\nAnn\n"))
    refused = preview(client, data={"recipients": str(file.pk)})
    assert refused.status_code == 422
    assert "has no column “email”" in refused.content.decode()


def test_another_persons_file_is_in_no_preview(client, strangers_browser, owner, make_task):
    task = make_task("EMAIL_CAMPAIGN", owner=owner)
    file = TaskFile(task=task, name="people.csv", size=len(PEOPLE), kind="input", parameter="recipients")
    file.content.save("people.csv", ContentFile(PEOPLE))
    answer = preview(strangers_browser, data={"recipients": str(file.pk)})
    assert answer.status_code == 422
    assert "For Ann" not in answer.content.decode()


def test_only_a_type_that_can_be_previewed_offers_it(client, every_field):
    assert 'name="preview"' in client.get("/tasks/new/EMAIL_CAMPAIGN/").content.decode()
    assert 'name="preview"' not in client.get(every_field).content.decode()
