"""A text or a small image that is laid over every output."""

from __future__ import annotations

import html
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _

from tasks.context import Fail
from tasks.handlers.image_processing.library import vips
from tasks.handlers.image_processing.reading import Picture

SMALLEST = 32  # pixels: on less, a mark would be all there is to see
# What a mark may take of the picture's width and height, and its distance from the edge, as parts of one.
WIDTH, HEIGHT, EDGE = 0.4, 0.1, 0.03
IMAGE_HEIGHT = 0.25
PLACES = {
    "bottom-right": (1.0, 1.0),
    "bottom-left": (0.0, 1.0),
    "top-right": (1.0, 0.0),
    "top-left": (0.0, 0.0),
    "centre": (0.5, 0.5),
}


@dataclass
class Watermark:
    """A mark at a place of the picture, `opacity` in per cent. Its overlay is kept for the next picture of that size."""

    place: str
    opacity: int

    def put_on(self, image: Any, height: int) -> Any:
        """The image with the mark on each frame of this height."""
        if min(image.width, height) < SMALLEST:
            return image
        overlay = self.overlay(image.width, height)
        if height < image.height:
            overlay = overlay.replicate(1, image.height // height)
        if image.bands < 3:
            image = image.colourspace("srgb")
        marked = image.composite2(overlay, "over")
        # Laying one image over another adds transparency, which an opaque picture does not want.
        marked = marked if image.hasalpha() else marked[:3]
        return marked.cast("uchar")

    def overlay(self, width: int, height: int) -> Any:
        """A transparent image of this size with the mark at its place."""
        mark = self.mark(width, height)
        edge = round(EDGE * min(width, height))
        across, down = PLACES[self.place]
        left = round(edge + across * (width - mark.width - 2 * edge))
        top = round(edge + down * (height - mark.height - 2 * edge))
        faded = mark * [1, 1, 1, self.opacity / 100]
        return faded.embed(left, top, width, height).copy(interpretation="srgb")

    def mark(self, width: int, height: int) -> Any:
        """The mark for a picture of this size: red, green, blue and alpha."""
        raise NotImplementedError


@dataclass
class TextMark(Watermark):
    """White letters with a dark rim: readable on any ground."""

    text: str = ""

    def __post_init__(self) -> None:
        if not has_font():
            raise Fail(_("Text cannot be drawn: this machine has no font. Install one, or give an image as watermark."))

    def mark(self, width: int, height: int) -> Any:
        # Pango reads markup: what somebody typed is text.
        letters = vips().Image.text(
            html.escape(self.text, quote=False),
            font="sans bold",
            width=round(WIDTH * width),
            height=round(HEIGHT * height),
        )
        rim = max(1, letters.height // 16)
        letters = letters.embed(2 * rim, 2 * rim, letters.width + 4 * rim, letters.height + 4 * rim)
        dark = letters.gaussblur(rim) * 1.6
        alpha = (letters > dark).ifthenelse(letters, dark).cast("uchar")
        return letters.bandjoin([letters, letters, alpha]).copy(interpretation="srgb")


@dataclass
class ImageMark(Watermark):
    picture: Picture | None = None

    @cached_property
    def _whole(self) -> Any:
        assert self.picture is not None
        width, height = self.picture.upright
        image = self.picture.shrunk(min(width, 2000), min(height, 2000), moving=False, size="down")
        image = image.colourspace("srgb") if image.bands < 3 else image
        return (image if image.hasalpha() else image.addalpha()).copy_memory()

    def mark(self, width: int, height: int) -> Any:
        whole = self._whole
        scale = min(1, WIDTH * width / whole.width, IMAGE_HEIGHT * height / whole.height)
        return whole.premultiply().resize(scale).unpremultiply().cast("uchar")


def has_font() -> bool:
    """Whether text can be drawn: without any font, every letter becomes the same box."""
    text = vips().Image.text
    first, second = (text(letter, dpi=300) for letter in "AW")
    return (first.width, first.height, first.avg()) != (second.width, second.height, second.avg())
