"""Write an image in its format, by quality or within a number of bytes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from tasks.handlers.image_processing.reading import Unusable
from tasks.handlers.image_processing.recipe import Recipe

Computing = Callable[[Any], AbstractContextManager[None]]

QUALITIES = range(5, 96, 5)
# A PNG gets smaller only by having fewer colours: 16, 256; none: all of them.
PNG_DEPTHS: tuple[int | None, ...] = (2, 4, 8, None)
# What each format is asked for beside its quality.
ALWAYS: dict[str, dict[str, Any]] = {
    "JPEG": {"optimize_coding": True},
    "PNG": {"compression": 6},
    "WEBP": {"effort": 4},
    # A step more takes a third more time and saves 4 % of the bytes.
    "AVIF": {"compression": "av1", "effort": 2},
}


def write(image: Any, path: Path, recipe: Recipe, name: str, computing: Computing) -> None:
    """Compute the image and write it to `path`; `computing` is entered with whatever libvips is busy with.

    Raises Unusable where the image does not fit into `recipe.max_bytes`.
    """
    if recipe.max_bytes is None:
        with computing(image):
            getattr(image, recipe.writable.saver)(str(path), **_options(recipe, recipe.quality))
    else:
        with computing(image):
            image = image.copy_memory()
        path.write_bytes(_within(image, recipe, recipe.max_bytes, name, computing))


def _options(recipe: Recipe, quality: int | None) -> dict[str, Any]:
    options = ALWAYS[recipe.format] | {"keep": _kept(recipe)}
    if recipe.format == "PNG":
        return options | ({} if quality in (None, 100) else {"palette": True, "Q": quality})
    return options | {"Q": quality or recipe.writable.quality}


def _kept(recipe: Recipe) -> str:
    if recipe.keep_metadata:
        return "all"
    # Without its profile, an image whose colours were left alone would be shown in wrong ones.
    return "none" if recipe.to_srgb else "icc"


def _within(image: Any, recipe: Recipe, limit: int, name: str, computing: Computing) -> bytes:
    """The best encoding of at most `limit` bytes, found by halving the range of what can be asked for."""
    attempts = _png_attempts(image, recipe) if recipe.format == "PNG" else _quality_attempts(image, recipe)
    best, least = None, None
    low, high = 0, len(attempts) - 1
    while low <= high:
        middle = (low + high + 1) // 2
        with computing(image):
            encoded = attempts[middle]()
        if len(encoded) <= limit:
            best, low = encoded, middle + 1
        else:
            least, high = encoded, middle - 1
    if best is None:
        known = {"name": name, "least": filesizeformat(len(least or b"")), "limit": filesizeformat(limit)}
        raise Unusable(
            _("%(name)s has %(least)s at its lowest quality, more than the %(limit)s asked for. Choose a smaller size.")
            % known
        )
    return best


def _quality_attempts(image: Any, recipe: Recipe) -> list[Callable[[], bytes]]:
    encode = getattr(image, f"{recipe.writable.saver}_buffer")
    best = recipe.quality or QUALITIES[-1]
    qualities = [*(q for q in QUALITIES if q < best), best]
    return [lambda quality=quality: encode(**_options(recipe, quality)) for quality in qualities]  # type: ignore[misc]


def _png_attempts(image: Any, recipe: Recipe) -> list[Callable[[], bytes]]:
    common = ALWAYS["PNG"] | {"keep": _kept(recipe)}
    choices = [common | ({"palette": True, "bitdepth": depth} if depth else {}) for depth in PNG_DEPTHS]
    return [lambda options=options: image.pngsave_buffer(**options) for options in choices]  # type: ignore[misc]
