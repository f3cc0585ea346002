"""The parameters that both e-mail task types take, and what the form shows of them before a submit."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.validators import validate_email
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tasks.context import Fail
from tasks.handlers.mail.letter import UNPRINTABLE, Attachment, Letter, read_attachments
from tasks.handlers.mail.recipients import BadRecipients, Recipients, read_recipients
from tasks.handlers.mail.report import previews, warnings
from tasks.parameters import FileParameter, FilesParameter, StoredFile

MEGABYTE = 1024 * 1024
ATTACHMENTS_MOST = 20 * MEGABYTE  # together; mail servers take about 25, encoded
TEXTAREA = {"base_template": "textarea.html"}


@extend_schema_field(
    {
        "oneOf": [
            {"type": "array", "items": {"oneOf": [{"type": "string"}, {"type": "object"}]}},
            {"type": "string", "description": "Addresses, one a line; the id of a file; or, in a form, an upload."},
        ]
    }
)
class RecipientsParameter(FileParameter):
    """A CSV file of recipients. A list in its place, of addresses or of objects with an `email`, becomes such a file."""

    default_error_messages = {"invalid": _("Give a CSV file, or a list of addresses.")}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str) and "@" in data:
            return self.checked(_upload("recipients.txt", data))
        if isinstance(data, list) and data:
            if all(isinstance(one, str) for one in data):
                return self.checked(_upload("recipients.txt", "\n".join(data)))
            if all(isinstance(one, dict) for one in data):
                return self.checked(_upload("recipients.csv", _as_csv(data)))
        return super().to_internal_value(data)


def _upload(name: str, text: str) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, text.encode("utf-8", "replace"))


def _as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    columns = list(dict.fromkeys(str(column) for row in rows for column in row))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([[row.get(column, "") for column in columns] for row in rows])
    return text.getvalue()


def single_line(value: str) -> None:
    """What goes into a header of a message must not be able to start another."""
    if UNPRINTABLE.search(value):
        raise serializers.ValidationError(_("This must be a single line."))


def way_out(value: str) -> None:
    """Where people can unsubscribe."""
    if value.startswith("https://"):
        if any(character in value for character in " <>"):
            raise serializers.ValidationError(_("This address of the web holds a sign that it must not."))
        return
    validate_email(value)


class MessageParameters(serializers.Serializer[Any]):
    recipients = RecipientsParameter(
        required=False,
        extensions=(".csv", ".tsv", ".txt"),
        max_bytes=20 * MEGABYTE,
        help_text=_(
            "A CSV file with a column “email”; its other columns are fields of the message: $first_name is the column"
            " “First name”. By API also a list of addresses, or of objects with an email."
        ),
    )
    to = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=MEGABYTE,
        style=TEXTAREA,
        label=_("Addresses"),
        help_text=_("One a line, or with commas between them. A name may stand before: Ann Lee <ann@example.org>."),
    )
    subject = serializers.CharField(
        max_length=300, validators=[single_line], help_text=_("May hold fields, as the body may: News for $name.")
    )
    body = serializers.CharField(
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        max_length=MEGABYTE,
        style=TEXTAREA,
        help_text=_("The text. $name is the recipient's name, ${name|friend} says “friend” where there is none."),
    )
    html_body = serializers.CharField(
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        max_length=MEGABYTE,
        style=TEXTAREA,
        label=_("HTML body"),
        help_text=_("For mail programs that show HTML; fields as in the text. Alone, it is the text's source as well."),
    )
    defaults = serializers.DictField(
        child=serializers.CharField(allow_blank=True, max_length=1000),
        required=False,
        help_text=_('What stands in a field where a recipient has no value: {"name": "friend", "city": "your town"}.'),
    )
    attachments = FilesParameter(
        required=False, max_length=10, max_bytes=10 * MEGABYTE, help_text=_("Up to 10 files, 20 MB together.")
    )
    from_name = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=100,
        validators=[single_line],
        label=_("Sender's name"),
        help_text=_("The name before the sender's address. The address itself is set for the whole installation."),
    )
    reply_to = serializers.EmailField(
        required=False, allow_blank=True, label=_("Reply to"), help_text=_("Where answers go.")
    )
    unsubscribe = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=500,
        validators=[single_line, way_out],
        help_text=_(
            "Where people can unsubscribe: an https address, in which $email may stand, or a mail address."
            " Mail programs show it as a button. Where it is left out, it is the address that answers go to."
        ),
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attachments := attrs.get("attachments"):
            check_size(attachments)
        # A file named by its id is looked into when the task runs.
        if not isinstance(attrs.get("recipients"), uuid.UUID):
            check_recipients(attrs)
        return attrs


def check_size(attachments: Sequence[Any]) -> None:
    size = sum(getattr(file, "size", 0) or 0 for file in attachments)
    if size > ATTACHMENTS_MOST:
        told = {"size": filesizeformat(size), "limit": filesizeformat(ATTACHMENTS_MOST)}
        message = _("Together they have %(size)s; at most %(limit)s are taken.") % told
        raise serializers.ValidationError({"attachments": [message]})


def check_recipients(attrs: Mapping[str, Any]) -> Recipients:
    """Everybody whom parameters name. Raises ValidationError where there is a list and nobody on it can be sent to."""
    field = "recipients" if attrs.get("recipients") else "to"
    try:
        found = recipients_of(attrs)
    except BadRecipients as error:
        raise serializers.ValidationError({field: [str(error)]}) from None
    if found.set_aside and not found.accepted:
        raise serializers.ValidationError({field: [nobody_usable(found)]})
    return found


def nobody_usable(found: Recipients) -> str:
    first = found.set_aside[0]
    told = {"email": first.email, "line": first.line, "reason": first.reason}
    return gettext("No entry can be used; the first, “%(email)s” in line %(line)s: %(reason)s.") % told


def recipients_of(parameters: Mapping[str, Any]) -> Recipients:
    """Everybody whom validated parameters name. Raises BadRecipients."""
    return read_recipients(parameters.get("recipients"), parameters.get("to", ""), most=settings.MAX_RECIPIENTS)


def usable_recipients(parameters: Mapping[str, Any]) -> Recipients:
    """As `recipients_of`, for a handler: raises Fail, also where nobody is left."""
    try:
        found = recipients_of(parameters)
    except BadRecipients as error:
        raise Fail(str(error)) from error
    if found.set_aside and not found.accepted:
        raise Fail(nobody_usable(found))
    return found


def count_recipients(parameters: Mapping[str, Any]) -> int:
    """How many get a message; a list that cannot be used counts as none."""
    try:
        return len(recipients_of(parameters).accepted)
    except BadRecipients:
        return 0


def letter_of(parameters: Mapping[str, Any], attachments: Sequence[Attachment] | None = None) -> Letter:
    """The letter that validated parameters describe. Raises Fail: its attachments are too large."""
    files: Sequence[StoredFile] = parameters.get("attachments") or ()
    if attachments is None:
        try:
            check_size(files)
        except serializers.ValidationError as error:
            raise Fail(str(error.detail["attachments"][0])) from error  # type: ignore[call-overload,index]
        attachments = read_attachments(files)
    return Letter(
        subject=parameters["subject"],
        body=parameters.get("body", ""),
        html_body=parameters.get("html_body", ""),
        from_name=parameters.get("from_name", ""),
        reply_to=parameters.get("reply_to", ""),
        unsubscribe=parameters.get("unsubscribe", ""),
        defaults=parameters.get("defaults", {}),
        attachments=attachments,
    )


def preview(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What a form shows before a submit: how many get a message, who does not, and the first five as they will look.

    Raises ValidationError, as a file that was named by its id is looked into only now.
    """
    found = check_recipients(parameters)
    check_size(parameters.get("attachments") or ())
    names = [Attachment(file.name, b"", "application/octet-stream") for file in parameters.get("attachments") or ()]
    letter = letter_of(parameters, names)
    return {
        "recipients": len(found.accepted),
        "set_aside": found.set_aside[:100],
        "warnings": warnings(letter, found),
        "messages": previews(letter, found, {}),
    }
