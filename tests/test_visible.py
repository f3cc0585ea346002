"""TaskHub promises that no name or text looks like another one, and that none gives a terminal orders."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command

from tasks import lifecycle
from tasks.models import TaskFile
from tasks.visible import for_terminal, one_line, visible

TURNED = "invoice\u202efdp.exe"
SHOWN = "invoice<U+202E>fdp.exe"


@pytest.mark.parametrize("character", ["\x1b", "\x08", "\x7f", "\x9b", "\r", "\u200f", "\u202e", "\u2066", "\u2028"])
def test_what_hides_or_reorders_text_is_shown_as_its_code(character):
    assert visible(f"a{character}b") == f"a<U+{ord(character):04X}>b"


@pytest.mark.parametrize("text", ["plain", "two\r\nlines\tand a tab\n", "שלום", "family 👨‍👩‍👧"])
def test_other_text_stays_as_it_is(text):
    assert visible(text) == text


def test_a_name_is_one_line():
    assert one_line("a\r\nb\tc\u2028d") == "a b c d"


def test_a_terminal_gets_no_orders():
    assert for_terminal("\x1b]0;title\x07\x1b[2J\x1b[31mred\x9b2J") == "red<U+009B>2J"


@pytest.mark.django_db
def test_the_name_of_a_task_and_of_a_file_is_made_readable_as_it_comes_in(client):
    upload = SimpleUploadedFile("table.csv", b"a\n1\n")
    upload._name = f"{TURNED}.csv"  # as a program within the hub may call it
    task = lifecycle.submit("DATA_PROCESSING", {"file": upload}, name=f"{TURNED}\nSUCCESS")
    assert task.name == f"{SHOWN} SUCCESS"
    file = TaskFile.objects.get()
    assert file.name == f"{SHOWN}.csv"
    answer = client.get(f"/files/{file.pk}/")
    answer.close()
    assert "%E2%80%AE" not in answer["Content-Disposition"]


@pytest.mark.django_db
@pytest.mark.parametrize("place", ["/tasks/{id}/", "/", "/admin/tasks/task/{id}/change/", "/api/tasks/{id}?format=api"])
def test_no_page_holds_such_a_character(client, make_task, place):
    task = make_task(status="FAILED", name=TURNED, error_message=TURNED, parameters={"a": TURNED})
    page = client.get(place.format(id=task.pk)).getvalue().decode()
    assert "\u202e" not in page
    assert "invoice&lt;U+202E&gt;fdp.exe" in page


@pytest.mark.django_db
def test_a_form_gives_back_what_it_was_given(client, make_task):
    client.get("/")
    task = lifecycle.submit("EMAIL_SIMULATION", {"body": TURNED})
    assert TURNED in client.get(f"/tasks/new/EMAIL_SIMULATION/?from={task.pk}").getvalue().decode()


@pytest.mark.django_db
def test_the_commands_give_a_terminal_no_orders(client, make_task):
    client.get("/")
    task = make_task(status="FAILED", name="a\x1b[2J", error_message="b\x9b2J", parameters={"a": "c\x9b2J"})
    task.log_lines.create(seq=1, at=task.created_at, level="info", message="\x1b]0;title\x07\x1b[31md")
    out = StringIO()
    for arguments in (["list"], ["show", str(task.pk)], ["log", str(task.pk)]):
        call_command("taskhub", *arguments, stdout=out)
    assert "\x1b" not in out.getvalue()
    assert "\x9b" not in out.getvalue()
    assert client.get(f"/tasks/{task.pk}/log/").getvalue().endswith(b" info    d\n")
