"""TaskHub promises that a campaign is checked before it starts, can be rehearsed, and goes where the settings say."""

from __future__ import annotations

import email
import email.policy
from pathlib import Path

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.mail.backends import locmem
from rest_framework.exceptions import ValidationError

from tasks import lifecycle, registry
from tasks.engine.outcome import Claimed, Move, Outcome
from tasks.engine.store import get_store
from tasks.lifecycle import TransitionRefused
from tasks.models import Task, TaskFile, TaskItem
from tasks.testing import run_handler

MAIL = {"subject": "News", "body": "Hello $name", "pace": 1000}
CSV = ("people.csv", b"email,name,city\nann@example.org,Ann,Rome\nbo@example.org,,Oslo\nann@example.org,Ann,Rome\n")


def run(**parameters):
    return run_handler("EMAIL_CAMPAIGN", MAIL | parameters)


def faults(**parameters) -> dict[str, list[str]]:
    given = {name: value for name, value in (MAIL | parameters).items() if value is not None}
    with pytest.raises(ValidationError) as caught:
        run_handler("EMAIL_CAMPAIGN", given)
    return {name: [str(one) for one in errors] for name, errors in caught.value.detail.items()}


def test_without_a_mail_server_the_messages_go_to_the_outbox_and_the_log_says_so():
    done = run(recipients=CSV, body="Hello ${name|friend} in $city")
    assert (done.result["delivered_to"], done.result["sent_successfully"]) == ("outbox", 2)
    assert "Goes to the outbox of this task; nothing leaves this machine." in done.log
    message = email.message_from_bytes(done.files["bo@example.org.eml"], policy=email.policy.default)
    assert (message["To"], message.get_content().strip()) == ("bo@example.org", "Hello friend in Oslo")


def test_a_dry_run_sends_nothing_and_shows_the_first_five(settings):
    settings.MAIL_SERVER_SET = True
    done = run(recipients=[f"u{n}@example.org" for n in range(9)], dry_run=True)
    assert mail.outbox == []
    assert (done.files, done.items) == ({}, {})
    assert [one["to"] for one in done.result["preview"]] == [f"u{n}@example.org" for n in range(5)]
    assert (done.result["total_emails"], done.result["sent_successfully"]) == (9, 0)
    assert registry.get("EMAIL_CAMPAIGN").summarize(done.result) == "Dry run: 9 messages, none sent"


@pytest.mark.parametrize("kind", ["locmem", "console", "filebased"])
def test_any_backend_of_djangos_is_good_enough(kind, settings, tmp_path, capfd):
    settings.MAIL_SERVER_SET, settings.EMAIL_FILE_PATH = True, str(tmp_path)
    settings.EMAIL_BACKEND = f"django.core.mail.backends.{kind}.EmailBackend"
    done = run(recipients=CSV)
    written = "".join(path.read_text() for path in tmp_path.iterdir()) + capfd.readouterr().out
    written += "".join(f"\nTo: {message.to[0]}\n" for message in mail.outbox)
    assert "\nTo: Ann <ann@example.org>\n" in written
    assert "\nTo: bo@example.org\n" in written
    assert (done.result["sent_successfully"], done.result["delivered_to"]) == (2, "server")


def test_what_a_backend_raises_is_the_recipients_failure_alone(settings):
    settings.MAIL_SERVER_SET = True
    settings.EMAIL_BACKEND = f"{__name__}.Picky"
    assert run(recipients=CSV).items == {"ann@example.org": "failed", "bo@example.org": "done"}


class Picky(locmem.EmailBackend):
    def send_messages(self, messages):
        if "ann" in messages[0].to[0]:
            raise RuntimeError("not ann")
        return super().send_messages(messages)


def test_double_and_malformed_addresses_are_set_aside_before_the_start_and_reported():
    done = run(recipients=CSV, to="not an address")
    assert done.result["skipped"] == 2
    assert done.result["skipped_emails"] == [
        {"email": "ann@example.org", "reason": "named twice", "line": 4},
        {"email": "not an address", "reason": "not an e-mail address", "line": 1},
    ]
    assert "Line 4: “ann@example.org” is set aside: named twice" in done.log


def test_a_field_that_nobody_has_is_warned_of():
    assert run(recipients=CSV, body="$nmae").result["warnings"][0].startswith("Nobody's row has a value for $nmae")


@pytest.mark.parametrize(
    "recipients",
    [
        "ann@example.org\nBo <bo@example.org>",
        ["ann@example.org", "Bo <bo@example.org>"],
        [{"email": "ann@example.org"}, {"email": "bo@example.org", "name": "Bo"}],
        ("list.txt", b"ann@example.org\nBo <bo@example.org>\n"),
        ("list.csv", b"email\nann@example.org\nbo@example.org\n"),
    ],
)
def test_recipients_may_be_a_text_a_list_rows_or_a_file(recipients):
    assert run(recipients=recipients).items == {"ann@example.org": "done", "bo@example.org": "done"}


@pytest.mark.parametrize(
    ("parameters", "field", "sentence"),
    [
        ({}, "recipients", "Name at least one recipient, here or below."),
        ({"to": "ann@example.org", "body": " "}, "body", "Write a body, as text or as HTML."),
        ({"to": "ann@example.org", "subject": None}, "subject", "This field is required."),
        ({"to": "ann@example.org", "subject": "a\nBcc: b@example.org"}, "subject", "This must be a single line."),
        ({"to": "ann@example.org", "from_name": "a\rb"}, "from_name", "This must be a single line."),
        ({"to": "ann@example.org", "reply_to": "a@b.de\nBcc: c@d.de"}, "reply_to", "Enter a valid email address."),
        ({"to": "ann@example.org", "unsubscribe": "http://x"}, "unsubscribe", "Enter a valid email address."),
        ({"to": "ann@example.org", "pace": 0}, "pace", "Ensure this value is greater than or equal to 0.01."),
        ({"to": "nobody, no one"}, "to", "No entry can be used; the first, “nobody” in line 1: not an e-mail address."),
        (
            {"recipients": ("list.csv", b"name,city\nAnn,Rome\n")},
            "recipients",
            "list.csv has no column “email”. Its columns: name, city.",
        ),
        ({"recipients": ("list.png", b"x")}, "recipients", "list.png is not of a type this takes: .csv, .tsv, .txt."),
    ],
)
def test_what_is_wrong_is_told_at_its_field_before_anything_starts(parameters, field, sentence):
    assert faults(**parameters) == {field: [sentence]}


def test_the_number_of_recipients_is_limited(settings):
    settings.MAX_RECIPIENTS = 2
    assert faults(recipients=["a@b.de", "b@b.de", "c@b.de"]) == {
        "recipients": ["More than 2 recipients: split the list."]
    }


def test_attachments_are_limited_together():
    files = [(f"{n}.bin", bytes(8 * 1024 * 1024)) for n in range(3)]
    [sentence] = faults(to="ann@example.org", attachments=files)["attachments"]
    assert sentence.replace("\xa0", " ") == "Together they have 24.0 MB; at most 20.0 MB are taken."


def test_a_long_campaign_is_given_its_time():
    kind = registry.get("EMAIL_CAMPAIGN")
    validated = kind.validate(MAIL | {"to": "\n".join(f"u{n}@b.de" for n in range(1000)), "pace": 1})
    assert 1000 < kind.timeout_for(validated) < 4000


def test_the_form_ticks_dry_run_and_a_program_gets_what_it_asks_for():
    declared = registry.get("EMAIL_CAMPAIGN").serializer.fields["dry_run"]
    assert (declared.initial, declared.default) == (True, False)


def test_the_sample_is_a_dry_run_that_shows_what_can_happen():
    kind = registry.get("EMAIL_CAMPAIGN")
    done = run_handler("EMAIL_CAMPAIGN", kind.sample())
    assert (done.result["dry_run"], done.result["total_emails"], done.result["skipped"]) == (True, 3, 2)


def test_a_form_can_show_the_messages_before_they_are_submitted():
    kind = registry.get("EMAIL_CAMPAIGN")
    upload = SimpleUploadedFile("people.csv", CSV[1])
    shown = kind.preview(kind.validate(MAIL | {"recipients": upload, "subject": "For $city"}))
    assert (shown["recipients"], len(shown["set_aside"])) == (2, 1)
    assert [one["subject"] for one in shown["messages"]] == ["For Rome", "For Oslo"]


@pytest.mark.django_db
def test_a_submitted_list_is_kept_as_a_file_of_the_task():
    task = lifecycle.submit("EMAIL_CAMPAIGN", MAIL | {"recipients": ["ann@example.org"]})
    kept = TaskFile.objects.get(task=task)
    assert (kept.name, Path(kept.content.path).read_bytes()) == ("recipients.txt", b"ann@example.org")
    assert (task.name, task.parameters["recipients"]) == ("News", str(kept.pk))


@pytest.mark.django_db
def test_a_plain_retry_is_for_those_who_have_not_had_the_message():
    task = lifecycle.submit("EMAIL_CAMPAIGN", MAIL | {"to": "a@b.de, b@b.de, c@b.de, d@b.de"})
    for position, state in enumerate(["done", "pending", "failed", "unknown"]):
        TaskItem.objects.create(task=task, position=position, key=f"{'abcd'[position]}@b.de", state=state)
    lifecycle.cancel(task)
    again = lifecycle.retry(task)
    assert list(again.items.values_list("key", "state")) == [("b@b.de", "pending"), ("c@b.de", "pending")]
    assert again.retry_items == "pending,failed"


@pytest.mark.django_db
def test_nobody_is_sent_to_by_two_retries_of_one_campaign():
    task = lifecycle.submit("EMAIL_CAMPAIGN", MAIL | {"to": "a@b.de, b@b.de"})
    for position, state in enumerate(["failed", "unknown"]):
        TaskItem.objects.create(task=task, position=position, key=f"{'ab'[position]}@b.de", state=state)
    lifecycle.cancel(task)
    lifecycle.retry(task, items="failed")
    for items in ("", "failed", "failed,unknown"):
        with pytest.raises(TransitionRefused, match="retried already"):
            lifecycle.retry(task, items=items)
    assert list(lifecycle.retry(task, items="unknown").items.values_list("key", flat=True)) == ["b@b.de"]


@pytest.mark.django_db
def test_a_campaign_that_never_came_to_anybody_is_retried_once():
    task = lifecycle.submit("EMAIL_CAMPAIGN", MAIL | {"to": "a@b.de"})
    lifecycle.cancel(task)
    again = lifecycle.retry(task)
    with pytest.raises(TransitionRefused, match="retried already"):
        lifecycle.retry(task)
    lifecycle.cancel(again)
    assert lifecycle.retry(again).retry_items == ""


@pytest.mark.django_db
def test_a_campaign_cancelled_before_it_began_is_retried_whole():
    task = lifecycle.submit("EMAIL_CAMPAIGN", MAIL | {"to": "a@b.de"})
    lifecycle.cancel(task)
    assert lifecycle.retry(task).retry_items == ""


@pytest.mark.django_db
def test_a_retry_learns_whom_to_send_to_once_the_old_task_has_let_go():
    task = lifecycle.submit("EMAIL_CAMPAIGN", MAIL | {"to": "a@b.de, b@b.de"})
    Task.objects.filter(pk=task.pk).update(claim=7, status="CANCELLED")
    again = lifecycle.retry(task)
    # Between the retry and its letting go, the old task's worker came one message further.
    for position, state in enumerate(["done", "pending"]):
        TaskItem.objects.create(task=task, position=position, key=f"{'ab'[position]}@b.de", state=state)
    assert not again.items.exists()
    get_store().write([Outcome(Move.LET_GO, Claimed(task.pk, 7, *[None] * 11))])
    again.refresh_from_db()
    assert again.waits_for == ""
    assert list(again.items.values_list("key", flat=True)) == ["b@b.de"]
