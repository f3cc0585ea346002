"""From an upload to a plain file: out of gzip or zip, in UTF-8, with one kind of line end, without NULs."""

from __future__ import annotations

import codecs
import gzip
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from tasks.context import Fail
from tasks.handlers.data_processing import content
from tasks.handlers.data_processing.progress import Progress

CHUNK = 4 * 1024 * 1024
# Tables shrink to a tenth, rarely to a hundredth; beyond this ratio it is a bomb. Small ones cannot hurt.
MOST_RATIO = 250
HARMLESS = 100 * 1024 * 1024
# What the disk keeps for everybody else.
SPARE_DISK = 512 * 1024 * 1024


@dataclass
class PlainFile:
    """A file to read, its name for people, and what was done to it."""

    path: Path
    name: str
    kind: str
    packed_as: str = ""
    encoding: str = "UTF-8"
    foreign_bytes: int = 0
    nuls: int = 0
    remarks: list[str] = field(default_factory=list)


def unpacked(path: Path, name: str, folder: Path, progress: Progress) -> PlainFile:
    """The file itself, or what its gzip or zip holds. Raises Fail where that is damaged, a bomb, or no table."""
    kind = content.kind_of(path, name)
    if kind not in {"gzip", "zip"}:
        return PlainFile(path, name, kind)
    target = folder / "unpacked"
    opened = _opened_gzip(path, name) if kind == "gzip" else _opened_zip(path, name)
    with opened as (packed, inner):
        _copy_checked(packed, target, path.stat().st_size, name, progress)
    plain = PlainFile(target, inner, content.kind_of(target, inner), packed_as=kind)
    if plain.kind in {"gzip", "zip"}:
        raise Fail(_("%(name)s holds another archive: pack the table itself.") % {"name": name})
    return plain


@contextmanager
def _opened_gzip(path: Path, name: str) -> Iterator[tuple[IO[bytes], str]]:
    with gzip.open(path) as packed:
        yield packed, name.removesuffix(".gz")  # type: ignore[misc]


@contextmanager
def _opened_zip(path: Path, name: str) -> Iterator[tuple[IO[bytes], str]]:
    with zipfile.ZipFile(path) as archive:
        members = [m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX/")]
        if len(members) != 1:
            message = _("%(name)s holds %(count)s files; it must hold one table.")
            raise Fail(message % {"name": name, "count": len(members)})
        if members[0].flag_bits & 1:
            raise Fail(_("%(name)s is protected by a password.") % {"name": name})
        try:
            with archive.open(members[0]) as packed:
                yield packed, Path(members[0].filename).name
        except NotImplementedError:
            raise Fail(_("%(name)s is packed in a way that is not supported.") % {"name": name}) from None


class Allowance:
    """How much may come out of a packed file. Counts what does."""

    def __init__(self, packed_size: int, name: str, folder: Path) -> None:
        self.name = name
        self.most = min(max(HARMLESS, packed_size * MOST_RATIO), 8 * settings.MAX_UPLOAD_BYTES)
        self.room = shutil.disk_usage(folder).free - SPARE_DISK
        self.taken = 0

    def take(self, size: int) -> None:
        """Raises Fail where it is a bomb, or the disk has not the room."""
        self.taken += size
        if self.taken > self.most:
            raise Fail(_("%(name)s unpacks to far more than a table would; it was refused.") % {"name": self.name})
        if self.taken > self.room:
            raise Fail(_("%(name)s does not fit on the disk unpacked.") % {"name": self.name}, retry=True)


def _copy_checked(packed: IO[bytes], target: Path, packed_size: int, name: str, progress: Progress) -> None:
    allowance = Allowance(packed_size, name, target.parent)
    try:
        with target.open("wb") as out:
            while chunk := packed.read(CHUNK):
                allowance.take(len(chunk))
                out.write(chunk)
                progress.within(1 - packed_size / (packed_size + allowance.taken))
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile):
        message = _("%(name)s is damaged: its packed data breaks off or is wrong after %(size)s.")
        raise Fail(message % {"name": name, "size": filesizeformat(allowance.taken)}) from None


ENCODINGS = {"utf-8": "UTF-8", "utf-16": "UTF-16", "cp1252": "Windows-1252", "latin-1": "Latin-1"}


def encoding_of(head: bytes, asked: str, name: str) -> str:
    """Python's name of the encoding of a text that begins so; `auto` is to be found out. Raises Fail for no UTF-16."""
    if asked == "utf-16" or asked == "auto":
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if bare := content.utf_16_without_mark(head):
            return bare
    if asked == "utf-16":
        raise Fail(_("%(name)s is not stored as UTF-16, or lacks the mark that begins it.") % {"name": name})
    return "utf-8" if asked == "auto" else asked


def needs_rewriting(head: bytes, encoding: str) -> bool:
    """Whether DuckDB would stumble over the text: another encoding, foreign bytes, NULs, mixed line ends."""
    if encoding != "utf-8" or b"\0" in head:
        return True
    unix = head.count(b"\n") - head.count(b"\r\n")
    if (b"\r\n" in head and unix) or (b"\n" not in head and b"\r" in head):
        return True
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return True
    return False


class Rewriter:
    """Writes a text anew in UTF-8, with line feeds, without NULs. Bytes that are not UTF-8 count as Windows-1252.

    So a file in Windows-1252 comes out right without anybody knowing beforehand that it is one.
    """

    def __init__(self, plain: PlainFile, encoding: str) -> None:
        self.plain = plain
        self.encoding = encoding
        self.foreign_bytes = 0
        codecs.register_error("taskhub-windows-1252", self._foreign)

    def _foreign(self, error: UnicodeError) -> tuple[str, int]:
        if not isinstance(error, UnicodeDecodeError):
            raise error
        self.foreign_bytes += error.end - error.start
        foreign = error.object[error.start : error.end]
        return "".join(bytes([byte]).decode("cp1252", "replace") for byte in foreign), error.end

    def write(self, target: Path, progress: Progress) -> PlainFile:
        errors = "taskhub-windows-1252" if self.encoding == "utf-8" else "replace"
        total, nuls = self.plain.path.stat().st_size, 0
        with (
            self.plain.path.open(encoding=self.encoding, errors=errors, newline=None) as source,
            target.open("w", encoding="utf-8", newline="\n") as out,
        ):
            while text := source.read(CHUNK):
                nuls += text.count("\0")
                out.write(text.replace("\0", "").removeprefix("\ufeff"))
                progress.part(os.lseek(source.fileno(), 0, os.SEEK_CUR), total)
        return self._described(target, nuls)

    def _described(self, target: Path, nuls: int) -> PlainFile:
        told = ENCODINGS.get(self.encoding, "UTF-16")
        if self.foreign_bytes and self.encoding == "utf-8":
            told = "Windows-1252"
        plain = self.plain
        return PlainFile(
            target, plain.name, plain.kind, plain.packed_as, told, self.foreign_bytes, nuls, list(plain.remarks)
        )
