"""What came of a mailing: the result and its fields, its one line for the list, and what a form shows beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from rest_framework import serializers

from tasks.context import ItemRecord
from tasks.handlers.mail.letter import PREVIEWS, Letter, as_preview
from tasks.handlers.mail.recipients import Recipients
from tasks.models import TaskItem

LISTED = 1000  # entries of each list of a result; the task's items have them all
STATES = {TaskItem.State.DONE: "sent", TaskItem.State.FAILED: "failed", TaskItem.State.UNKNOWN: "unknown"}


class Sent(serializers.Serializer[Any]):
    email = serializers.EmailField()
    subject = serializers.CharField()
    status = serializers.ChoiceField(["sent"])
    sent_at = serializers.DateTimeField()
    answer = serializers.CharField(help_text=gettext_lazy("What the server said."))


class Unsent(serializers.Serializer[Any]):
    email = serializers.EmailField()
    subject = serializers.CharField()
    status = serializers.ChoiceField(["failed", "unknown"])
    error = serializers.CharField()


class Skipped(serializers.Serializer[Any]):
    email = serializers.CharField()
    reason = serializers.CharField()
    line = serializers.IntegerField()


class Shown(serializers.Serializer[Any]):
    """A message as it looks."""

    to = serializers.CharField()
    reply_to = serializers.CharField()
    subject = serializers.CharField()
    text = serializers.CharField()
    html = serializers.CharField()
    attachments = serializers.ListField(child=serializers.CharField())
    headers = serializers.DictField(child=serializers.CharField())
    file = serializers.UUIDField(allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        return {"from": serializers.CharField(), **super().get_fields()}  # Python keeps the word


class Result(serializers.Serializer[Any]):
    """What came of a mailing."""

    total_emails = serializers.IntegerField()
    sent_successfully = serializers.IntegerField()
    failed = serializers.IntegerField()
    unknown = serializers.IntegerField(help_text=gettext_lazy("Handed over, and nobody knows what became of them."))
    skipped = serializers.IntegerField(help_text=gettext_lazy("Entries that were set aside."))
    sent_emails = Sent(many=True, help_text=gettext_lazy("The first 1,000."))
    failed_emails = Unsent(many=True, help_text=gettext_lazy("The first 1,000."))
    unknown_emails = Unsent(many=True, help_text=gettext_lazy("The first 1,000."))
    skipped_emails = Skipped(many=True, help_text=gettext_lazy("The first 1,000."))
    subject = serializers.CharField()
    reply_to = serializers.CharField()
    preview = Shown(many=True, help_text=gettext_lazy("The first messages."))
    warnings = serializers.ListField(child=serializers.CharField())
    delivered_to = serializers.ChoiceField(["server", "outbox", "nobody"])
    processing_time = serializers.FloatField(help_text=gettext_lazy("Seconds."))

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "from": serializers.CharField()}  # Python keeps the word


def result_of(records: Sequence[ItemRecord], recipients: Recipients, letter: Letter, **further: Any) -> dict[str, Any]:
    """The result: counts, who was sent to and who not (the first 1,000 each), and the first messages as they look."""
    sent, failed, unknown = ([one for one in records if one.state == state] for state in STATES)
    return {
        "total_emails": len(records),
        "sent_successfully": len(sent),
        "failed": len(failed),
        "unknown": len(unknown),
        "skipped": len(recipients.set_aside),
        "sent_emails": _entries(sent),
        "failed_emails": _entries(failed),
        "unknown_emails": _entries(unknown),
        "skipped_emails": [asdict(one) for one in recipients.set_aside[:LISTED]],
        "subject": letter.subject,
        "from": letter.sender,
        "reply_to": letter.reply_to,
        "preview": previews(letter, recipients, {one.key: one for one in records}),
        "warnings": warnings(letter, recipients),
        **further,
    }


def _entries(records: Sequence[ItemRecord]) -> list[dict[str, Any]]:
    return [_entry(record) for record in records[:LISTED]]


def _entry(record: ItemRecord) -> dict[str, Any]:
    detail = record.detail or {}
    entry = {"email": record.key, "subject": detail.get("subject", ""), "status": STATES[TaskItem.State(record.state)]}
    if record.state == TaskItem.State.DONE:
        return entry | {"sent_at": detail.get("at"), "answer": detail.get("answer", "")}
    return entry | {"error": record.error}


def previews(letter: Letter, recipients: Recipients, records: Mapping[str, ItemRecord]) -> list[dict[str, Any]]:
    """The first messages as they look, with the file that holds each, where there is one."""
    shown = []
    for recipient in islice(recipients.accepted, PREVIEWS):
        try:
            message = as_preview(letter.compose(recipient))
        except ValueError:  # its item says why
            continue
        record = records.get(recipient.key)
        file = (record.detail or {}).get("file") if record else None
        shown.append(message | {"file": file})
    return shown


def warnings(letter: Letter, recipients: Recipients) -> list[str]:
    """What is probably not meant."""
    found = []
    if missing := letter.missing_fields(recipients.columns):
        told = {"fields": ", ".join(f"${name}" for name in missing)}
        found.append(_("Nobody's row has a value for %(fields)s: it stays in the message as it is written.") % told)
    if double := len(recipients.set_aside):
        text = ngettext("%(n)s entry was set aside.", "%(n)s entries were set aside.", double)
        found.append(text % {"n": f"{double:,}"})
    return found


def summary(result: Mapping[str, Any]) -> str:
    """One line for the task list."""
    count = result["sent_successfully"]
    if result.get("dry_run"):
        text = ngettext(
            "Dry run: %(n)s message, not sent", "Dry run: %(n)s messages, none sent", result["total_emails"]
        )
        return text % {"n": f"{result['total_emails']:,}"}
    if result["delivered_to"] == "outbox":
        text = ngettext("%(n)s message in the outbox", "%(n)s messages in the outbox", count)
    else:
        text = ngettext("%(n)s message sent", "%(n)s messages sent", count)
    parts = [text % {"n": f"{count:,}"}]
    if result["failed"]:
        parts.append(_("%(n)s failed") % {"n": f"{result['failed']:,}"})
    if result["unknown"]:
        parts.append(_("%(n)s unknown") % {"n": f"{result['unknown']:,}"})
    return ", ".join(parts)
