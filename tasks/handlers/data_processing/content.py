"""What a file is, judged by its bytes and never by its name."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tasks.context import Fail

HEAD = 1024 * 1024

# The first bytes of what people upload by mistake, and what to tell them it is.
STRANGERS = [
    (b"\x89PNG", gettext_lazy("a PNG image")),
    (b"\xff\xd8\xff", gettext_lazy("a JPEG image")),
    (b"GIF8", gettext_lazy("a GIF image")),
    (b"RIFF", gettext_lazy("a WEBP image or a recording")),
    (b"II*\x00", gettext_lazy("a TIFF image")),
    (b"MM\x00*", gettext_lazy("a TIFF image")),
    (b"%PDF", gettext_lazy("a PDF document")),
    (b"{\\rtf", gettext_lazy("an RTF document")),
    (b"\xd0\xcf\x11\xe0", gettext_lazy("an old Office document (.xls, .doc); save it as .xlsx")),
    (b"SQLite format 3", gettext_lazy("an SQLite database")),
    (b"7z\xbc\xaf", gettext_lazy("a 7-Zip archive; use zip or gzip")),
    (b"Rar!", gettext_lazy("a RAR archive; use zip or gzip")),
    (b"BZh", gettext_lazy("compressed with bzip2; use zip or gzip")),
    (b"\xfd7zXZ", gettext_lazy("compressed with xz; use zip or gzip")),
    (b"\x28\xb5\x2f\xfd", gettext_lazy("compressed with zstd; use zip or gzip")),
    (b"\x7fELF", gettext_lazy("a program")),
    (b"MZ\x90", gettext_lazy("a program")),
    (b"<!doctype html", gettext_lazy("a web page")),
    (b"<html", gettext_lazy("a web page")),
    (b"<?xml", gettext_lazy("an XML document")),
    (b"<svg", gettext_lazy("an SVG image")),
]
# Control characters that text has: tab, line feed, vertical tab, form feed, carriage return, end of file, escape.
TEXT_CONTROLS = frozenset(b"\t\n\x0b\x0c\r\x1a\x1b\x00")
MOST_CONTROLS = 0.005
MOST_NULS = 0.01
A_FEW = 10
LINES_LOOKED_AT = 20
JSON_ARRAY, JSON_OBJECT = re.compile(rb"\[\s*\{"), re.compile(rb"\{\s*\"[^\n]*\"\s*:")


def head_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


def kind_of(path: Path, name: str) -> str:
    """gzip, zip, excel, parquet, json-lines, json-array, json or text. Raises Fail for what is no table."""
    head = head_of(path)
    if not head.strip(b"\xef\xbb\xbf\r\n\t "):
        raise Fail(_("%(name)s is empty.") % {"name": name})
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        return _kind_of_zip(path, name)
    if head.startswith(b"PAR1"):
        return "parquet"
    _refuse_strangers(head, name)
    return kind_of_text(head)


def _kind_of_zip(path: Path, name: str) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            members = set(archive.namelist())
    except zipfile.BadZipFile:
        raise Fail(_("%(name)s is a zip file that is damaged.") % {"name": name}) from None
    if "xl/workbook.xml" in members:
        return "excel"
    if "word/document.xml" in members or "ppt/presentation.xml" in members or "mimetype" in members:
        raise Fail(_("%(name)s is not a table: it is an office document.") % {"name": name})
    return "zip"


def _refuse_strangers(head: bytes, name: str) -> None:
    for start, told in STRANGERS:
        if head.startswith(start) or (start[:1] == b"<" and head[:100].strip().lower().startswith(start)):
            raise Fail(_("%(name)s is not a table: it is %(kind)s.") % {"name": name, "kind": told})
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or utf_16_without_mark(head):
        return
    controls = sum(head.count(byte) for byte in range(32) if byte not in TEXT_CONTROLS)
    if controls > max(A_FEW, MOST_CONTROLS * len(head)) or head.count(0) > max(A_FEW, MOST_NULS * len(head)):
        raise Fail(_("%(name)s is not a table: it holds binary data.") % {"name": name})


def utf_16_without_mark(head: bytes) -> str | None:
    """utf-16-le or utf-16-be where every other byte of the text is zero, as it is in western languages."""
    half = max(1, len(head) // 2)
    first, second = head[0::2].count(0) / half, head[1::2].count(0) / half
    if second > 0.4 and first < 0.05:
        return "utf-16-le"
    return "utf-16-be" if first > 0.4 and second < 0.05 else None


def kind_of_text(head: bytes) -> str:
    """json-lines, json-array, json (objects over several lines) or text."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if JSON_ARRAY.match(text) or (text.startswith(b"[") and _is_json(text, list)):
        return "json-array"
    if not text.startswith(b"{"):
        return "text"
    if any(_is_json(line, dict) for line in text.split(b"\n")[:LINES_LOOKED_AT]):
        return "json-lines"
    return "json" if JSON_OBJECT.match(text) else "text"


def _is_json(text: bytes, kind: type) -> bool:
    try:
        return isinstance(json.loads(text), kind)
    except (ValueError, RecursionError):
        return False
