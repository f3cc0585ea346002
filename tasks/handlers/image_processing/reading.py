"""Look at an image before working on it: its real format, its size, its frames, and whether it is taken."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from tasks.handlers.image_processing.formats import READABLE, READABLE_NAMES, format_of
from tasks.handlers.image_processing.library import vips

MAX_PIXELS = 100_000_000  # of one frame
MAX_FRAMES = 200
MAX_MOVING_PIXELS = 400_000_000  # of all frames together


class Unusable(Exception):
    """An image that cannot be worked on; says why in a sentence for people."""


@dataclass(frozen=True)
class Picture:
    """An image file that is taken. `width` and `height` are in pixels as stored, of one frame."""

    path: Path
    name: str
    format: str
    width: int
    height: int
    frames: int
    turned: bool = False  # its EXIF orientation swaps the sides
    profiled: bool = False  # brings a colour profile, or colours for print

    def source(self) -> Any:
        return vips().Source.new_from_file(str(self.path))

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height as people see it."""
        return (self.height, self.width) if self.turned else (self.width, self.height)

    def shrunk(self, width: int, height: int, *, moving: bool, **options: Any) -> Any:
        """A libvips image brought to this size while it is read; the cheapest way for every format.

        `options` are those of libvips' thumbnail. `moving` takes all frames, else the first.
        """
        # `fail_on` goes to the loader: thumbnail's own option of that name lets a source end early.
        load = "fail_on=error,n=-1" if moving else "fail_on=error"
        return vips().Image.thumbnail_source(self.source(), width, height=height, option_string=load, **options)


def look_at(path: Path, name: str) -> Picture:
    """Read the header alone. Raises Unusable for what is not taken."""
    found = format_of(path)
    if found not in READABLE:
        raise Unusable(_refusal(name, found))
    header = _header(path, name, "n=-1" if READABLE[found].animated else "")
    frames = header.get("n-pages") if READABLE[found].animated and header.get_typeof("n-pages") else 1
    height = header.get_page_height() if frames > 1 else header.height
    turned = header.get_typeof("orientation") != 0 and header.get("orientation") in (5, 6, 7, 8)
    profiled = header.get_typeof("icc-profile-data") != 0 or header.interpretation == "cmyk"
    picture = Picture(path, name, found, header.width, height, frames, turned, profiled)
    _check_size(picture)
    return picture


def _refusal(name: str, found: str | None) -> str:
    known = {"name": name, "found": found, "taken": READABLE_NAMES}
    if found is None:
        return _("%(name)s cannot be taken: its content is no image. Taken are: %(taken)s.") % known
    return _("%(name)s cannot be taken: its content is %(found)s. Taken are: %(taken)s.") % known


def _header(path: Path, name: str, options: str) -> Any:
    library = vips()
    try:
        return library.Image.new_from_source(library.Source.new_from_file(str(path)), options, access="sequential")
    except library.Error as error:
        raise damaged(name) from error


def damaged(name: str) -> Unusable:
    return Unusable(_("%(name)s cannot be read: the file is damaged or incomplete.") % {"name": name})


def _check_size(picture: Picture) -> None:
    pixels = picture.width * picture.height
    known = {"name": picture.name, "width": picture.width, "height": picture.height, "frames": picture.frames}
    if pixels > MAX_PIXELS:
        known |= {"pixels": pixels // 1_000_000, "limit": MAX_PIXELS // 1_000_000}
        raise Unusable(
            _("%(name)s has %(pixels)d megapixels (%(width)d x %(height)d); at most %(limit)d are taken.") % known
        )
    if picture.frames > MAX_FRAMES:
        known |= {"limit": MAX_FRAMES}
        raise Unusable(_("%(name)s has %(frames)d frames; at most %(limit)d are taken.") % known)
    if pixels * picture.frames > MAX_MOVING_PIXELS:
        known |= {"limit": MAX_MOVING_PIXELS // 1_000_000}
        raise Unusable(_("The %(frames)d frames of %(name)s have more than %(limit)d megapixels together.") % known)
