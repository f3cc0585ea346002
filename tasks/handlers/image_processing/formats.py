"""Which image formats are read and written, and telling a file's format by its content."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HEAD = 4096  # bytes that are enough to tell


@dataclass(frozen=True)
class Readable:
    """A format that is taken: libvips' class for it, and whether its pages are an animation's frames."""

    loader: str
    animated: bool = False


@dataclass(frozen=True)
class Writable:
    """A format that is made: its file ending, whether it can be transparent or animated, its usual quality."""

    ending: str
    saver: str
    alpha: bool = True
    animated: bool = False
    quality: int = 80


READABLE = {
    "JPEG": Readable("VipsForeignLoadJpeg"),
    "PNG": Readable("VipsForeignLoadPng"),
    "WEBP": Readable("VipsForeignLoadWebp", animated=True),
    "GIF": Readable("VipsForeignLoadNsgif", animated=True),
    "AVIF": Readable("VipsForeignLoadHeif"),
    "TIFF": Readable("VipsForeignLoadTiff"),
}
WRITABLE = {
    "PNG": Writable("png", "pngsave", quality=100),
    "JPEG": Writable("jpg", "jpegsave", alpha=False, quality=82),
    "WEBP": Writable("webp", "webpsave", animated=True, quality=80),
    "AVIF": Writable("avif", "heifsave", quality=55),
}
READABLE_NAMES = ", ".join(READABLE)

STARTS = [
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
    (b"%PDF", "PDF"),
    (b"8BPS", "PSD"),
    (b"\0\0\1\0", "ICO"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"PK\3\4", "ZIP"),
    (b"\x1f\x8b", "gzip"),
]


def format_of(path: Path) -> str | None:
    """The name of the format a file is in, whatever its name says: one of READABLE, another known one, or None."""
    with path.open("rb") as file:
        return sniff(file.read(HEAD))


def sniff(head: bytes) -> str | None:
    """The format of content that begins so; None for what is not known."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return _brand(head)
    for start, name in STARTS:
        if head.startswith(start):
            return name
    return _text(head)


def _brand(head: bytes) -> str | None:
    """Of the ISO container that AVIF, HEIC and films share: its brands tell which it is."""
    brands = head[8 : int.from_bytes(head[:4], "big")]
    if brands.startswith(b"avis"):
        return "animated AVIF"
    if b"avif" in brands:
        return "AVIF"
    return "HEIC" if b"heic" in brands or b"heix" in brands or b"mif1" in brands else "video"


def _text(head: bytes) -> str | None:
    if b"<svg" in head.lower():
        return "SVG"
    try:
        text = head[: HEAD - 3].decode()
    except UnicodeDecodeError:
        return None
    return "text" if text.strip() and "\0" not in text else None
