"""TaskHub promises that a campaign tells of each recipient what became of them, and sends to nobody twice."""

from __future__ import annotations

import time

import pytest

from tasks.context import TaskInterrupted
from tasks.handlers.mail import smtp
from tasks.testing import HandlerRun, MemoryRecorder, run_handler

DROP = "drop"


def people(count: int) -> list[str]:
    return [f"u{number}@example.org" for number in range(1, count + 1)]


def campaign(recipients: list[str], recorder: MemoryRecorder | None = None, **parameters: object) -> HandlerRun:
    given = {"subject": "News", "body": "Hello $name", "pace": 1000, "retry_after": 0.02}
    retry_items = parameters.pop("retry_items", ())
    given |= {"recipients": recipients} | parameters
    return run_handler("EMAIL_CAMPAIGN", given, recorder=recorder, retry_items=retry_items)


def test_everybody_gets_a_message_of_their_own_over_one_connection(mail_server):
    run = campaign(["Ann <ann@example.org>", "Bo <bo@example.org>"])
    [[to_ann], [to_bo]] = mail_server.messages["ann@example.org"], mail_server.messages["bo@example.org"]
    assert (to_ann["To"], to_ann.get_content().strip()) == ("Ann <ann@example.org>", "Hello Ann")
    assert (to_bo["To"], to_bo.get_content().strip()) == ("Bo <bo@example.org>", "Hello Bo")
    assert run.items == {"ann@example.org": "done", "bo@example.org": "done"}
    assert run.result["delivered_to"] == "server"
    assert mail_server.connections == 1


def test_a_line_that_is_a_dot_ends_no_message(mail_server):
    campaign(people(1), body="one\n.\n..two\nthree")
    [message] = mail_server.messages["u1@example.org"]
    assert message.get_content().splitlines() == ["one", ".", "..two", "three"]


def test_a_refusal_is_recorded_in_the_servers_words_and_stops_nobody_else(mail_server):
    mail_server.at_rcpt["u1@example.org"] = ["550 5.1.1 no such mailbox here"]
    mail_server.at_data["u2@example.org"] = ["552 too large for this mailbox"]
    run = campaign(people(3))
    assert run.items == {"u1@example.org": "failed", "u2@example.org": "failed", "u3@example.org": "done"}
    assert [(one["email"], one["error"]) for one in run.result["failed_emails"]] == [
        ("u1@example.org", "550 5.1.1 no such mailbox here"),
        ("u2@example.org", "552 too large for this mailbox"),
    ]
    assert mail_server.connections == 1


def test_what_a_server_says_of_a_secret_is_kept_nowhere(mail_server):
    mail_server.at_rcpt["u1@example.org"] = ["550 not with https://api.example.org/?token=hunter2"]
    run = campaign(people(2))
    assert run.result["failed_emails"][0]["error"].startswith("550 not with https://api.example.org/?token=")
    assert "hunter2" not in f"{run.result} {run.log} {run.recorder.records}"


def test_one_who_is_put_off_gets_the_message_later_and_once(mail_server):
    mail_server.at_rcpt["u1@example.org"] = ["451 4.7.1 greylisted, come back", "450 not yet"]
    run = campaign(people(3))
    assert set(run.items.values()) == {"done"}
    assert list(mail_server.messages) == ["u2@example.org", "u3@example.org", "u1@example.org"]
    assert mail_server.count == 3
    assert ("warning", "u1@example.org: 451 4.7.1 greylisted, come back") in run.recorder.lines


def test_one_who_is_put_off_too_often_is_failed(mail_server):
    mail_server.at_rcpt["u1@example.org"] = ["451 come back"] * 9
    run = campaign(people(2), retries=2)
    assert run.items == {"u1@example.org": "failed", "u2@example.org": "done"}
    assert len(mail_server.at_rcpt["u1@example.org"]) == 6


def test_a_message_whose_answer_is_lost_is_unknown_and_is_not_sent_again(mail_server):
    mail_server.at_data["u1@example.org"] = [DROP]
    run = campaign(people(2))
    assert run.items == {"u1@example.org": "unknown", "u2@example.org": "done"}
    assert run.result["unknown_emails"][0]["email"] == "u1@example.org"
    again = campaign(people(2), recorder=run.recorder)
    assert again.items["u1@example.org"] == "unknown"
    assert mail_server.count == 2


def test_a_connection_that_breaks_before_the_message_is_handed_over_costs_no_message(mail_server):
    mail_server.at_rcpt["u1@example.org"] = [DROP]
    run = campaign(people(2))
    assert set(run.items.values()) == {"done"}
    assert mail_server.count == mail_server.connections == 2


def test_a_server_that_does_not_answer_in_time_leaves_the_recipient_unknown(mail_server, settings):
    settings.EMAIL_TIMEOUT = 0.3
    mail_server.at_data["u1@example.org"] = [lambda: time.sleep(0.6)]
    assert campaign(people(1)).items == {"u1@example.org": "unknown"}


def test_a_server_that_is_away_fails_the_try_and_the_next_one_sends_the_rest(mail_server, settings):
    settings.EMAIL_PORT = 1
    run = campaign(people(2))
    assert run.failed == "No connection to the mail server 127.0.0.1:1: Connection refused"
    assert run.items == {"u1@example.org": "pending", "u2@example.org": "pending"}
    settings.EMAIL_PORT = mail_server.port
    assert set(campaign(people(2), recorder=run.recorder).items.values()) == {"done"}
    assert mail_server.count == 2


def test_a_server_that_refuses_the_sender_ends_the_task_and_nobody_counts_as_refused(mail_server):
    mail_server.at_mail = "550 5.7.1 not from you"
    run = campaign(people(2))
    assert run.failed == "The mail server refuses us as the sender: 550 5.7.1 not from you"
    assert set(run.items.values()) == {"pending"}


def test_wrong_credentials_are_told_in_the_servers_words(mail_server, settings):
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "me", "wrong"
    run = campaign(people(1))
    assert run.failed == "The mail server refuses our name and password: 535 5.7.8 Authentication credentials invalid"


def test_a_campaign_that_reached_nobody_has_failed(mail_server):
    for address in people(2):
        mail_server.at_rcpt[address] = ["550 blocked"]
    assert campaign(people(2)).failed == "None of 2 was sent; first: 550 blocked"


def test_the_connection_is_renewed_now_and_then(mail_server, monkeypatch):
    monkeypatch.setattr(smtp, "RENEW_AFTER", 3)
    campaign(people(7))
    assert (mail_server.count, mail_server.connections) == (7, 3)


def test_a_connection_that_was_idle_is_tried_before_it_is_used(mail_server, monkeypatch):
    monkeypatch.setattr(smtp, "IDLE", 0.0)
    run = campaign(people(3))
    assert set(run.items.values()) == {"done"}
    assert mail_server.connections == 1


def test_messages_leave_at_the_asked_pace(mail_server):
    began = time.monotonic()
    campaign(people(5), pace=20)
    assert 0.2 <= time.monotonic() - began < 1


@pytest.mark.parametrize("reports", range(1, 40, 3))
def test_a_stopped_campaign_goes_on_where_it_was_and_sends_to_nobody_twice(mail_server, reports):
    recorder = MemoryRecorder(interrupt_after=reports)
    try:
        campaign(people(6), recorder=recorder)
    except TaskInterrupted:
        recorder.interrupt_after = None
        campaign(people(6), recorder=recorder)
    assert {record.state for record in recorder.records.values()} == {"done"}
    assert [len(messages) for messages in mail_server.messages.values()] == [1] * 6


class Stoppable(MemoryRecorder):
    def ask_to_stop(self) -> None:
        """As the worker does it: the handler's own way to stop is called from another thread."""
        self.interrupt_after = 0
        self.stop()


def test_a_stop_does_not_wait_for_a_stalled_server_and_the_message_was_not_sent(mail_server):
    recorder = Stoppable()
    mail_server.at_rcpt["u2@example.org"] = [recorder.ask_to_stop]
    with pytest.raises(TaskInterrupted):
        campaign(people(3), recorder=recorder)
    states = [record.state for record in recorder.records.values()]
    assert states == ["done", "pending", "pending"]
    assert list(mail_server.messages) == ["u1@example.org"]


def test_a_stop_lets_a_message_that_was_handed_over_be_answered(mail_server):
    recorder = Stoppable()
    mail_server.at_data["u2@example.org"] = [recorder.ask_to_stop]
    with pytest.raises(TaskInterrupted):
        campaign(people(3), recorder=recorder)
    states = [record.state for record in recorder.records.values()]
    assert states == ["done", "done", "pending"]


def test_a_worker_that_dies_leaves_at_most_the_message_in_flight_unknown(mail_server):
    run = campaign(people(2))
    run.recorder.records["u2@example.org"].state = "working"  # what a dead worker leaves behind
    again = campaign(people(3), recorder=run.recorder)
    assert again.items == {"u1@example.org": "done", "u2@example.org": "unknown", "u3@example.org": "done"}
    assert mail_server.count == 3
    assert (again.result["total_emails"], again.result["sent_successfully"], again.result["unknown"]) == (3, 2, 1)


def test_a_retry_sends_to_those_alone_it_was_made_for(mail_server):
    mail_server.at_rcpt["u2@example.org"] = ["550 full"]
    run = campaign(people(3))
    left = {"u2@example.org": run.recorder.records["u2@example.org"]}
    left["u2@example.org"].state = "pending"
    again = campaign(people(3), recorder=MemoryRecorder(records=left), retry_items=["failed"])
    assert again.items == {"u2@example.org": "done"}
    assert mail_server.count == 3
