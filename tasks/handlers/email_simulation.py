"""EMAIL_SIMULATION: writes every message for real, and keeps it in the outbox."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from tasks.context import TaskContext
from tasks.handlers.mail.delivery import Outbox
from tasks.handlers.mail.letter import single_line
from tasks.handlers.mail.parameters import MessageParameters, count_recipients, letter_of, preview, usable_recipients
from tasks.handlers.mail.recipients import Recipient, Recipients
from tasks.handlers.mail.report import Result, result_of, summary
from tasks.handlers.mail.sending import Sending
from tasks.registry import task_type

BODY = "Hello ${name|there},\n\nthis is a test message. It was written to the outbox, and not sent.\n"


class Pace(serializers.Serializer[Any]):
    num_emails = serializers.IntegerField(
        default=10,
        min_value=1,
        max_value=10_000,
        label=_("Number of messages"),
        help_text=_("How many are written to made-up addresses. With recipients of your own it does not count."),
    )
    delay_per_email = serializers.FloatField(
        default=1.0,
        min_value=0,
        max_value=3600,
        label=_("Delay between messages"),
        help_text=_("Seconds from one message to the next."),
    )
    subject = serializers.CharField(
        default="Test Email",
        max_length=300,
        help_text=_("May hold fields: News for $name."),
    )


class Parameters(Pace, MessageParameters):
    """The original's parameters first, then those of a campaign."""

    def validate_subject(self, value: str) -> str:
        return single_line(value)


def made_up(count: int) -> Recipients:
    """Addresses of a domain that is kept free for examples."""
    numbers = range(1, count + 1)
    return Recipients([_made_up(f"user{number}@example.com", f"User {number}") for number in numbers])


def _made_up(email: str, name: str) -> Recipient:
    return Recipient(email, name, {"email": email, "name": name})


def has_recipients(parameters: Mapping[str, Any]) -> bool:
    return bool(parameters.get("recipients") or parameters.get("to", "").strip())


def timeout(parameters: Mapping[str, Any]) -> float:
    count = count_recipients(parameters) if has_recipients(parameters) else parameters["num_emails"]
    return 300 + count * (parameters["delay_per_email"] * 1.2 + 0.5)


def sample() -> dict[str, Any]:
    return {"num_emails": 10, "delay_per_email": 0.2, "subject": "Hello ${name|there}", "body": BODY}


@task_type(
    "EMAIL_SIMULATION",
    label=_("Email simulation"),
    description=_("Writes each message for real and keeps it in the task's outbox. Nothing is sent."),
    parameters=Parameters,
    result=Result,
    timeout=timeout,
    icon="email",
    result_template="tasks/results/email_simulation.html",
    make_name=lambda parameters: parameters["subject"],
    summarize=summary,
    sample=sample,
    preview=preview,
    preview_template="tasks/previews/email.html",
)
def email_simulation(context: TaskContext, **parameters: Any) -> dict[str, Any]:
    began = time.monotonic()
    mine = has_recipients(parameters)
    recipients = usable_recipients(parameters) if mine else made_up(parameters["num_emails"])
    letter = letter_of({"body": "" if parameters.get("html_body") else BODY} | parameters)
    Sending(context, Outbox(context), letter, parameters["delay_per_email"]).run(recipients.accepted)
    taken = round(time.monotonic() - began, 3)
    return result_of(context.records, recipients, letter, delivered_to="outbox", processing_time=taken)
