"""Who gets a message: read from text or a CSV file, and checked; what is malformed or double is set aside."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from tasks.parameters import StoredFile

if TYPE_CHECKING:
    File = StoredFile | UploadedFile[Any]

DELIMITERS = ",;\t|"
EMAIL_COLUMNS = frozenset({"email", "e_mail", "email_address", "e_mail_address"})
# A name in quotes may hold the commas that part addresses.
ENTRY = re.compile(r'(?:"[^"]*"|[^,;])+')
NAMED = re.compile(r"(?P<name>[^<>]*)<(?P<email>[^<>]*)>")
LONGEST_ROW = 100_000  # characters
LONGEST_ADDRESS = 200  # characters: the address is the key of the recipient's item


class BadRecipients(ValueError):
    """A list that cannot be used at all, in a sentence."""


@dataclass(frozen=True)
class Recipient:
    email: str
    name: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Two addresses that differ in case only are one person."""
        return self.email.lower()


@dataclass(frozen=True)
class SetAside:
    """An entry that gets no message, and why."""

    email: str
    reason: str
    line: int


@dataclass
class Recipients:
    """Everybody who gets a message, in the order given, who does not, and which fields their rows have."""

    accepted: list[Recipient] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    columns: set[str] = field(default_factory=lambda: {"email", "name"})


Entry = tuple[int, Recipient]


def read_recipients(file: File | None, text: str = "", *, most: int) -> Recipients:
    """Everybody named by a file and by text. Raises BadRecipients: unreadable, or more than `most`."""
    found = Recipients()
    seen: set[str] = set()
    for entries in (entries_of_file(file, found.columns) if file else (), entries_of_text(text)):
        for line, recipient in entries:
            if reason := _objection(recipient, seen):
                found.set_aside.append(SetAside(recipient.email[:LONGEST_ADDRESS], reason, line))
                continue
            seen.add(recipient.key)
            found.accepted.append(recipient)
            if len(found.accepted) > most:
                raise BadRecipients(_("More than %(most)s recipients: split the list.") % {"most": f"{most:,}"})
    return found


def _objection(recipient: Recipient, seen: set[str]) -> str:
    """Why this one gets no message; empty: no reason."""
    if not recipient.email:
        return _("no address")
    if recipient.key in seen:
        return _("named twice")
    try:
        validate_email(recipient.email)
        ascii_address(recipient.email)
    except (ValidationError, UnicodeError):
        return _("not an e-mail address")
    return _("address too long") if len(recipient.email) > LONGEST_ADDRESS else ""


def ascii_address(address: str) -> str:
    """The address as mail servers take it: its domain in ASCII (IDNA). Raises UnicodeError where it has no such form."""
    if address.isascii():
        return address
    local, at, domain = address.rpartition("@")
    return f"{local}{at}{domain.encode('idna').decode()}"


def entries_of_text(text: str) -> Iterator[Entry]:
    """One entry a line, or several with commas or semicolons between them: `a@example.org` or `Ann <a@example.org>`."""
    for number, line in enumerate(text.splitlines(), start=1):
        for match in ENTRY.finditer(line):
            if entry := match[0].strip():
                yield number, _recipient(entry)


def _recipient(entry: str) -> Recipient:
    named = NAMED.fullmatch(entry)
    if named is None:
        return Recipient(entry, fields={"email": entry, "name": ""})
    email, name = named["email"].strip(), named["name"].strip().strip('"')
    return Recipient(email, name, {"email": email, "name": name})


def entries_of_file(file: File, columns: set[str]) -> Iterator[Entry]:
    """The rows of a CSV file that has an `email` column; the fields of its other columns are added to `columns`."""
    name = file.name or "recipients"
    text = _decoded(_content(file), name)
    if name.lower().endswith(".txt"):
        yield from entries_of_text(text)
        return
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        header = next(rows, [])
        place = _email_column(header, name)
        fields = [field_name(column) for column in header]
        if any("@" in column for column in header):  # no header: addresses from the first line on
            fields = ["email" if column == place else "" for column in range(len(header))]
            yield 1, _row(header, fields, place)
        columns.update(filter(None, fields))
        for row in rows:
            if sum(map(len, row)) > LONGEST_ROW:
                raise csv.Error(_("longer than %(most)s characters") % {"most": f"{LONGEST_ROW:,}"})
            if any(cell.strip() for cell in row):
                yield rows.line_num, _row(row, fields, place)
    except csv.Error as error:
        told = {"line": rows.line_num, "name": name, "error": error}
        raise BadRecipients(_("Line %(line)s of %(name)s cannot be read: %(error)s.") % told) from error


def field_name(column: str) -> str:
    """How a text names a column: `First name` is `$first_name`."""
    return re.sub(r"\W+", "_", column.strip().lower()).strip("_")


def _row(row: list[str], fields: Iterable[str], place: int) -> Recipient:
    values = {name: cell.strip() for name, cell in zip(fields, row, strict=False) if name}
    email = row[place].strip() if place < len(row) else ""
    return Recipient(email, values.get("name", ""), {"name": ""} | values | {"email": email})


def _email_column(header: list[str], name: str) -> int:
    for place, column in enumerate(header):
        if field_name(column) in EMAIL_COLUMNS:
            return place
    for place, column in enumerate(header):
        if "@" in column:
            return place
    seen = ", ".join(column.strip()[:40] for column in header[:20]) or _("none")
    raise BadRecipients(_("%(name)s has no column “email”. Its columns: %(seen)s.") % {"name": name, "seen": seen})


def _delimiter(text: str) -> str:
    """What parts the columns: the sign that the first line has most of."""
    first = re.sub(r'"[^"]*"', "", text.split("\n", 1)[0])
    return max(DELIMITERS, key=first.count)


def _content(file: File) -> bytes:
    if isinstance(file, StoredFile):
        return file.path.read_bytes()
    file.seek(0)
    content = file.read()
    file.seek(0)
    return content


def _decoded(content: bytes, name: str) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    if b"\0" in content:
        raise BadRecipients(_("%(name)s is not a text file.") % {"name": name})
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")
