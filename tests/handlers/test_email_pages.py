"""TaskHub promises that what came of a mailing is there to see, and that nothing a message holds runs on the page."""

from __future__ import annotations

import pytest
from django.template.loader import render_to_string

from tasks import lifecycle, registry
from tasks.testing import drain, run_handler

pytestmark = pytest.mark.django_db
EVIL = "<script>alert(1)</script>"


def page(client, task) -> str:
    answer = client.get(f"/tasks/{task.pk}/", REMOTE_ADDR="127.0.0.1", HTTP_HOST="localhost")
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_task_page_shows_the_outbox_message_by_message(client):
    lifecycle.submit("EMAIL_SIMULATION", {"num_emails": 2, "delay_per_email": 0, "subject": EVIL, "body": EVIL})
    [task] = drain()
    shown = page(client, task)
    assert "User 1 &lt;user1@example.com&gt;" in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert EVIL not in shown
    for file in task.files.published():
        assert f"/{file.pk}" in shown


def test_a_campaign_without_a_server_says_that_nothing_was_sent(client):
    lifecycle.submit("EMAIL_CAMPAIGN", {"to": "a@example.org, nobody", "subject": "s", "body": "$x", "pace": 1000})
    [task] = drain()
    shown = page(client, task)
    assert "No mail server is set, so the messages went to the outbox" in shown
    assert "Line 1: not an e-mail address" in shown
    assert "Nobody&#x27;s row has a value for $x" in shown


def test_a_dry_run_says_so(client):
    lifecycle.submit(
        "EMAIL_CAMPAIGN", {"to": "a@example.org", "subject": "s", "html_body": "<b>b</b>", "dry_run": True}
    )
    [task] = drain()
    shown = page(client, task)
    assert "none was sent" in shown
    assert "&lt;b&gt;b&lt;/b&gt;" in shown


def test_failures_are_shown_in_the_servers_words(mail_server, make_task):
    mail_server.at_rcpt["a@example.org"] = ["550 no such mailbox here"]
    run = run_handler("EMAIL_CAMPAIGN", {"to": "a@example.org, b@example.org", "subject": "s", "body": "b"})
    task = make_task("EMAIL_CAMPAIGN", status="SUCCESS", result_data=run.result)
    shown = render_to_string("tasks/results/email_campaign.html", {"task": task, "result": run.result})
    assert "550 no such mailbox here" in shown


def test_the_form_starts_with_a_dry_run(client):
    form = client.get("/tasks/new/EMAIL_CAMPAIGN/", REMOTE_ADDR="127.0.0.1", HTTP_HOST="localhost").content.decode()
    [box] = [tag for tag in form.split("<") if 'type="checkbox"' in tag and "dry_run" in tag]
    assert " checked" in box


def test_a_preview_can_be_shown_before_a_submit():
    kind = registry.get("EMAIL_CAMPAIGN")
    validated = kind.validate({"to": "a@example.org, b@example.org", "subject": "For $email", "body": "b"})
    shown = render_to_string(kind.preview_template, {"preview": kind.preview(validated)})
    assert "2 recipients" in shown
    assert "For b@example.org" in shown


def test_an_old_result_without_the_newer_keys_is_still_shown(make_task):
    result = {"total_emails": 1, "sent_successfully": 1, "failed": 0, "sent_emails": [], "failed_emails": []}
    task = make_task("EMAIL_SIMULATION", status="SUCCESS", result_data=result)
    assert "Messages" in render_to_string("tasks/results/email_simulation.html", {"task": task, "result": result})


def form_of(client, kind: str) -> str:
    return client.get(f"/tasks/new/{kind}/", REMOTE_ADDR="127.0.0.1", HTTP_HOST="localhost").content.decode()


def test_the_form_says_beforehand_that_without_a_server_nothing_is_sent(client, settings):
    assert "No mail server is set, so the messages go to the outbox" in form_of(client, "EMAIL_CAMPAIGN")
    assert "No mail server" not in form_of(client, "NOOP")
    settings.MAIL_SERVER_SET = True
    for kind in ("console", "dummy", "filebased", "locmem"):
        settings.EMAIL_BACKEND = f"django.core.mail.backends.{kind}.EmailBackend"
        assert f"“{kind}” backend. Nothing is sent." in form_of(client, "EMAIL_CAMPAIGN")
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    assert "Nothing is sent" not in form_of(client, "EMAIL_CAMPAIGN")


def test_the_form_of_a_simulation_says_always_that_nothing_is_sent(client):
    assert "Nothing is sent." in form_of(client, "EMAIL_SIMULATION")
