"""TaskHub promises that a simulation writes every message for real, at the asked pace, and sends nothing."""

from __future__ import annotations

import email
import email.policy
import time

import pytest
from rest_framework.exceptions import ValidationError

from tasks import registry
from tasks.testing import run_handler


def run(**parameters):
    return run_handler("EMAIL_SIMULATION", {"delay_per_email": 0} | parameters)


def test_the_originals_parameters_give_a_result_of_the_originals_shape():
    done = run(num_emails=3, subject="Hi there")
    assert {"total_emails", "sent_successfully", "failed", "sent_emails", "failed_emails"} <= done.result.keys()
    assert (done.result["total_emails"], done.result["sent_successfully"], done.result["failed"]) == (3, 3, 0)
    first = done.result["sent_emails"][0]
    assert (first["email"], first["subject"], first["status"]) == ("user1@example.com", "Hi there", "sent")


def test_each_message_is_an_eml_file_of_the_task():
    done = run(num_emails=2, subject="Für alle")
    assert list(done.files) == ["user1@example.com.eml", "user2@example.com.eml"]
    message = email.message_from_bytes(done.files["user1@example.com.eml"], policy=email.policy.default)
    assert (message["Subject"], message["To"]) == ("Für alle", "User 1 <user1@example.com>")
    assert "Hello User 1" in message.get_content()
    assert registry.get("EMAIL_SIMULATION").summarize(done.result) == "2 messages in the outbox"


def test_no_mail_leaves_even_where_a_server_is_set(mail_server):
    assert run(num_emails=2).result["delivered_to"] == "outbox"
    assert mail_server.connections == 0


def test_nothing_at_all_need_be_given():
    validated = registry.get("EMAIL_SIMULATION").validate({})
    assert validated == {"num_emails": 10, "delay_per_email": 1.0, "subject": "Test Email"}


def test_messages_are_written_at_the_asked_pace():
    began = time.monotonic()
    run(num_emails=4, delay_per_email=0.05)
    assert 0.15 <= time.monotonic() - began < 1


def test_recipients_of_ones_own_take_the_place_of_the_made_up_ones():
    done = run(recipients=[{"email": "ann@example.org", "city": "Rome"}], body="From $city", num_emails=5)
    assert done.result["total_emails"] == 1
    assert done.result["preview"][0]["text"] == "From Rome"


def test_a_subject_of_two_lines_becomes_one():
    done = run(num_emails=1, subject="a\nBcc: all@example.org")
    assert done.result["preview"][0]["subject"] == "a Bcc: all@example.org"


@pytest.mark.parametrize("wrong", [{"num_emails": 0}, {"num_emails": 10_001}, {"delay_per_email": -1}, {"subject": ""}])
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError) as caught:
        run(**wrong)
    assert list(caught.value.detail) == list(wrong)


def test_lists_of_a_result_are_bounded_and_the_counts_are_not(monkeypatch):
    from tasks.handlers.mail import report

    monkeypatch.setattr(report, "LISTED", 2)
    result = run(num_emails=5).result
    assert (result["sent_successfully"], len(result["sent_emails"])) == (5, 2)


def test_a_long_simulation_is_given_its_time():
    kind = registry.get("EMAIL_SIMULATION")
    assert kind.timeout_for(kind.validate({"num_emails": 1000, "delay_per_email": 2})) > 2000


def test_the_sample_works():
    kind = registry.get("EMAIL_SIMULATION")
    assert run_handler("EMAIL_SIMULATION", kind.sample() | {"delay_per_email": 0}).result["sent_successfully"] == 10
