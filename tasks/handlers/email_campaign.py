"""EMAIL_CAMPAIGN: sends a message to many through the configured mail server, to nobody twice."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends.smtp import EmailBackend as SmtpBackend
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from tasks.context import Fail, ItemRecord, TaskContext
from tasks.handlers.mail import report
from tasks.handlers.mail.delivery import BackendCourier, Courier, Outbox, keeper
from tasks.handlers.mail.letter import Letter
from tasks.handlers.mail.parameters import MessageParameters, count_recipients, letter_of, preview, usable_recipients
from tasks.handlers.mail.recipients import Recipients
from tasks.handlers.mail.report import result_of, summary, warnings
from tasks.handlers.mail.sending import Sending
from tasks.handlers.mail.smtp import SmtpCourier
from tasks.models import TaskItem
from tasks.registry import task_type


class Parameters(MessageParameters):
    pace = serializers.FloatField(
        default=10.0, min_value=0.01, max_value=1000, help_text=_("Messages a second, at most.")
    )
    retries = serializers.IntegerField(
        default=5,
        min_value=0,
        max_value=10,
        help_text=_("How often a recipient is tried again whom the server puts off (its answers from 400 to 499)."),
    )
    retry_after = serializers.FloatField(
        default=15.0,
        min_value=0,
        max_value=3600,
        label=_("Retry after"),
        help_text=_("Seconds before the first such retry; twice as many before each further one."),
    )
    # A program that asks for a campaign means it; on the form the box is ticked, so that a person looks first.
    dry_run = serializers.BooleanField(
        default=False,
        initial=True,
        label=_("Dry run"),
        help_text=_("Writes and checks every message and shows the first five, but sends none."),
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if not attrs.get("recipients") and not attrs.get("to", "").strip():
            raise serializers.ValidationError({"recipients": [gettext("Name at least one recipient, here or below.")]})
        if not attrs.get("body", "").strip() and not attrs.get("html_body", "").strip():
            raise serializers.ValidationError({"body": [gettext("Write a body, as text or as HTML.")]})
        return attrs


class Result(report.Result):
    dry_run = serializers.BooleanField()
    pace = serializers.FloatField(help_text=_("Messages a second, at most."))


def timeout(parameters: Mapping[str, Any]) -> float:
    """Every message at its pace, a slow server, and all the retries of the last one."""
    retrying = parameters["retry_after"] * 2 ** parameters["retries"]
    return 600 + count_recipients(parameters) * (1 / parameters["pace"] + 1) + retrying


SAMPLE_CSV = b"""email,name,city
ada@example.com,Ada,London
bela@example.com,Bela,Budapest
chen@example.com,,Taipei
chen@example.com,Chen,Taipei
not an address,Dora,Athens
"""


def sample() -> dict[str, Any]:
    return {
        "recipients": ("recipients.csv", SAMPLE_CSV),
        "subject": "News for $city",
        "body": "Hello ${name|friend},\n\nthis is what is new in $city.\n",
        "dry_run": True,
    }


def notice() -> str:
    """That nothing will be sent, where that is so: known before, not from the result."""
    if not settings.MAIL_SERVER_SET:
        return gettext(
            "No mail server is set, so the messages go to the outbox: the files of the task. Nothing is sent. "
            "EMAIL_URL names a server."
        )
    if kind := keeper():
        return gettext("EMAIL_URL names no mail server but Django's “%(kind)s” backend. Nothing is sent.") % {
            "kind": kind
        }
    return ""


def courier_for(context: TaskContext) -> Courier:
    """The configured mail server; the outbox, where none is set."""
    if not settings.MAIL_SERVER_SET:
        return Outbox(context)
    backend = get_connection()
    return SmtpCourier(backend) if isinstance(backend, SmtpBackend) else BackendCourier(backend)


@task_type(
    "EMAIL_CAMPAIGN",
    label=_("Email campaign"),
    description=_("Sends a message to many, each with their own name in it, and tells what became of every one."),
    parameters=Parameters,
    result=Result,
    timeout=timeout,
    max_attempts=5,
    backoff=30,
    icon="email",
    result_template="tasks/results/email_campaign.html",
    make_name=lambda parameters: parameters["subject"],
    summarize=summary,
    sample=sample,
    retry_items="pending,failed",
    preview=preview,
    preview_template="tasks/previews/email.html",
    notice=notice,
)
def email_campaign(context: TaskContext, **parameters: Any) -> dict[str, Any]:
    began = time.monotonic()
    recipients, letter = usable_recipients(parameters), letter_of(parameters)
    _tell(context, recipients, letter)
    if parameters["dry_run"]:
        records, delivered_to = rehearse(context, recipients, letter), "nobody"
    else:
        records, delivered_to = send(context, recipients, letter, parameters)
    taken = round(time.monotonic() - began, 3)
    further = {"delivered_to": delivered_to, "dry_run": parameters["dry_run"], "pace": parameters["pace"]}
    return result_of(records, recipients, letter, **further, processing_time=taken)


def _tell(context: TaskContext, recipients: Recipients, letter: Letter) -> None:
    count = len(recipients.accepted)
    context.log(ngettext("%(n)s recipient", "%(n)s recipients", count) % {"n": f"{count:,}"})
    for one in recipients.set_aside[:100]:
        context.log(f"Line {one.line}: “{one.email}” is set aside: {one.reason}", "warning")
    for warning in warnings(letter, recipients):
        context.log(warning, "warning")


def rehearse(context: TaskContext, recipients: Recipients, letter: Letter) -> list[ItemRecord]:
    """Write every message, send none: records of those that cannot be written. They are no items of the task."""
    context.log(gettext("Dry run: nothing is sent."))
    records = []
    for position, recipient in enumerate(context.track(recipients.accepted)):
        record = ItemRecord(position, recipient.key)
        try:
            letter.compose(recipient).message()
        except ValueError as error:
            record.state, record.error = TaskItem.State.FAILED, str(error)
        records.append(record)
    return records


def send(
    context: TaskContext, recipients: Recipients, letter: Letter, parameters: Mapping[str, Any]
) -> tuple[list[ItemRecord], str]:
    """Send to everybody who has not had it. Gives the records, and what they were delivered to: "outbox" or "server"."""
    courier = courier_for(context)
    context.log(gettext("Goes to %(destination)s.") % {"destination": courier.destination})
    pace, retries, retry_after = (parameters[name] for name in ("pace", "retries", "retry_after"))
    Sending(context, courier, letter, 1 / pace, retries, retry_after).run(recipients.accepted)
    _see_to_it_that_some_were_sent(context.records)
    return context.records, "outbox" if isinstance(courier, Outbox) else "server"


def _see_to_it_that_some_were_sent(records: list[ItemRecord]) -> None:
    if not records:
        raise Fail(gettext("Nobody is left to send to."))
    failed = [record for record in records if record.state == TaskItem.State.FAILED]
    if len(failed) == len(records):
        told = {"n": f"{len(failed):,}", "error": failed[0].error}
        text = ngettext("The message was not sent: %(error)s", "None of %(n)s was sent; first: %(error)s", len(failed))
        raise Fail(text % told)
