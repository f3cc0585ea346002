"""What a message says: a text with `$fields`, filled in for each recipient, and the e-mail made of it.

What people write is data: it is never run as a template of Django's, nor by `str.format`.
"""

from __future__ import annotations

import html
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formataddr, parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.utils.html import strip_tags

from tasks.handlers.mail.recipients import Recipient, ascii_address
from tasks.parameters import StoredFile

LONGEST_SUBJECT = 500  # characters, once its fields are filled in
PREVIEWS = 5
PREVIEW_LENGTH = 5000  # characters
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


class MergeText(string.Template):
    """`$name`, `${name}`, and `${name|friend}` for where there is no name; `$$` is a dollar sign."""

    idpattern = r"[^\W\d]\w*"
    braceidpattern = r"[^\W\d]\w*(?:\|[^{}]*)?"


class MergeFields(dict[str, str]):
    """The values of a text's fields. Upper and lower case are the same; a KeyError leaves the field as it is written."""

    def __missing__(self, key: str) -> str:
        name, bar, fallback = key.partition("|")
        value = self.get(name.lower())
        if value is None and not bar:
            raise KeyError(key)
        return value or fallback


def merge(text: str, fields: Mapping[str, str], escape: Callable[[str], str] = str) -> str:
    """The text with its fields filled in; `escape` makes a value fit for where the text goes."""
    return MergeText(text).safe_substitute(MergeFields({name: escape(value) for name, value in fields.items()}))


def fields_in(text: str) -> set[str]:
    """The fields that a text names without a fallback of their own."""
    return {name.lower() for name in MergeText(text).get_identifiers() if "|" not in name}


def single_line(text: str) -> str:
    """Fit for a header: what could start a new one is a space."""
    return UNPRINTABLE.sub(" ", text).strip()


def as_text(source: str) -> str:
    """The words of an HTML body, for those who read text."""
    lines = [line.strip() for line in html.unescape(strip_tags(source)).splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


@dataclass(frozen=True)
class Attachment:
    name: str
    content: bytes
    content_type: str


@dataclass(frozen=True)
class Letter:
    """What everybody gets, before its fields are filled in."""

    subject: str
    body: str = ""
    html_body: str = ""
    from_name: str = ""
    reply_to: str = ""
    unsubscribe: str = ""
    defaults: Mapping[str, str] = field(default_factory=dict)
    attachments: Sequence[Attachment] = ()

    @property
    def sender(self) -> str:
        """The From line. Its address is the installation's own, whoever sends."""
        name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
        return formataddr((single_line(self.from_name) or name, ascii_address(address)))

    def missing_fields(self, columns: set[str]) -> list[str]:
        """The fields it names that no recipient has and no default stands in for."""
        named = fields_in(self.subject) | fields_in(self.body) | fields_in(self.html_body)
        return sorted(named - columns - set(self._defaults))

    @property
    def _defaults(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.defaults.items()}

    def fields_for(self, recipient: Recipient) -> dict[str, str]:
        """An empty value gives way to the default."""
        filled = {name: value for name, value in recipient.fields.items() if value}
        return dict.fromkeys(recipient.fields, "") | self._defaults | filled

    def compose(self, recipient: Recipient) -> EmailMultiAlternatives:
        """The message for one recipient. Raises ValueError where none can be made of it."""
        fields = self.fields_for(recipient)
        body = merge(self.body, fields) or as_text(merge(self.html_body, fields, html.escape))
        message = EmailMultiAlternatives(
            subject=single_line(merge(self.subject, fields))[:LONGEST_SUBJECT],
            body=body,
            from_email=self.sender,
            to=[formataddr((single_line(recipient.name), ascii_address(recipient.email)))],
            reply_to=[self.reply_to] if self.reply_to else None,
            headers=self._unsubscribe_headers(fields),
            attachments=[(one.name, one.content, one.content_type) for one in self.attachments],
        )
        if self.html_body:
            message.attach_alternative(merge(self.html_body, fields, html.escape), "text/html")
        return message

    def _unsubscribe_headers(self, fields: Mapping[str, str]) -> dict[str, str]:
        """What mail programs offer as "Unsubscribe" (RFC 2369; one click of it, RFC 8058, needs an address of the web)."""
        way = self.unsubscribe or self.reply_to or parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
        if way.startswith("https://"):
            address = single_line(merge(way, fields, lambda value: quote(value, safe="")))
            return {"List-Unsubscribe": f"<{address}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
        return {"List-Unsubscribe": f"<mailto:{ascii_address(way)}?subject=unsubscribe>"}


def read_attachments(files: Sequence[StoredFile]) -> list[Attachment]:
    return [Attachment(single_line(file.name), Path(file.path).read_bytes(), file.content_type) for file in files]


def as_preview(message: EmailMultiAlternatives) -> dict[str, Any]:
    """How a message will look, for people."""
    return {
        "from": message.from_email,
        "to": message.to[0],
        "reply_to": ", ".join(message.reply_to),
        "subject": message.subject,
        "text": str(message.body)[:PREVIEW_LENGTH],
        "html": next((str(content)[:PREVIEW_LENGTH] for content, _ in message.alternatives), ""),
        "attachments": [str(name) for name, _, _ in message.attachments],
        "headers": dict(message.extra_headers),
    }
