"""Bring an image to its size and colours: shrink, crop, sharpen, flatten, mark."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _

from tasks.handlers.image_processing.library import vips
from tasks.handlers.image_processing.reading import MAX_PIXELS, Picture, Unusable
from tasks.handlers.image_processing.recipe import Box, Recipe

# How each way of resizing is said to libvips' thumbnail.
SHRINK = {
    "fit": {"size": "down"},
    "fill": {"crop": "attention"},
    "exact": {"size": "force"},
}
# A mild unsharp mask: the centre weighs 32 of 24, its eight neighbours take the rest away.
UNSHARP = [[-1, -1, -1], [-1, 32, -1], [-1, -1, -1]]


def shape(picture: Picture, box: Box, recipe: Recipe) -> Any:
    """The picture as a libvips image, ready to be written. Nothing is computed before that."""
    _check_output(picture, box, recipe)
    image = _resized(picture, box, recipe)
    if recipe.sharpen and (image.width, frame_height(image)) < picture.upright:
        image = each_frame(image, sharpened)
    if recipe.watermark:
        image = recipe.watermark.put_on(image, frame_height(image))
    if image.hasalpha() and not recipe.writable.alpha:
        image = image.flatten(background=list(recipe.background))
    return image


def _check_output(picture: Picture, box: Box, recipe: Recipe) -> None:
    width, height = box.size_of(*picture.upright, recipe.mode, enlarge=recipe.enlarge)
    frames = picture.frames if recipe.writable.animated else 1
    if width * height * frames > MAX_PIXELS:
        known = {"name": picture.name, "limit": MAX_PIXELS // 1_000_000, "size": f"{width} x {height}"}
        raise Unusable(_("%(name)s would have more than %(limit)d megapixels at %(size)s.") % known)


def _resized(picture: Picture, box: Box, recipe: Recipe) -> Any:
    options: dict[str, Any] = {"no_rotate": not recipe.auto_rotate}
    if recipe.to_srgb and picture.profiled:
        options["output_profile"] = "srgb"
    if recipe.writable.animated and picture.frames > 1:
        return _moving(picture, box, recipe, options)
    options |= {"size": "both"} if recipe.mode == "fit" and recipe.enlarge else SHRINK[recipe.mode]
    return picture.shrunk(box.width, box.height, moving=False, **options)


def _moving(picture: Picture, box: Box, recipe: Recipe, options: dict[str, Any]) -> Any:
    """All frames of an animation, each treated alike: a crop of its own for every frame would make it tremble."""
    width, height = box.size_of(picture.width, picture.height, recipe.mode, enlarge=recipe.enlarge)
    if recipe.mode != "fill":
        return picture.shrunk(width, height, moving=True, size="force", **options).copy_memory()
    scale = max(width / picture.width, height / picture.height)
    cover = math.ceil(picture.width * scale), math.ceil(picture.height * scale)
    image = picture.shrunk(*cover, moving=True, size="force", **options).copy_memory()
    first = image.crop(0, 0, image.width, image.get_page_height())
    window = first.smartcrop(width, height, interesting="attention")
    return each_frame(image, lambda frame: frame.crop(-window.xoffset, -window.yoffset, width, height))


def frame_height(image: Any) -> int:
    return image.get_page_height() if image.get_typeof("n-pages") else image.height


def frames_of(image: Any) -> int:
    return image.height // frame_height(image)


def each_frame(image: Any, change: Callable[[Any], Any]) -> Any:
    """The image with `change` made to every frame for itself."""
    if frames_of(image) == 1:
        return change(image)
    frames = [change(frame) for frame in image.pagesplit()]
    return frames[0].pagejoin(frames[1:])


def sharpened(image: Any) -> Any:
    mask = vips().Image.new_from_array(UNSHARP, scale=24)
    if not image.hasalpha():
        return image.conv(mask, precision="integer")
    colours, alpha = image[: image.bands - 1], image[image.bands - 1]
    return colours.conv(mask, precision="integer").bandjoin(alpha)
