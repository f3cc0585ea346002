"""Sample images for a task that brings none: made, not shipped, and the same each time."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from tasks.handlers.image_processing.library import vips

# Width and height of the samples, in turn: landscape, portrait, square, panorama.
SHAPES = [(1600, 1200), (1200, 1600), (1400, 1400), (2400, 1000)]


def sample_name(number: int) -> str:
    return f"sample-{number:03}.jpg"


def make_sample(number: int, folder: Path) -> Path:
    """Write the sample of this number, a photograph-like JPEG, and return where it lies."""
    path = folder / sample_name(number)
    landscape(*SHAPES[(number - 1) % len(SHAPES)], seed=number).jpegsave(str(path), Q=90)
    return path


def landscape(width: int, height: int, *, seed: int) -> Any:
    """Hills under a sky, with the grain of a photograph."""
    image = vips().Image
    across, down = image.xyz(width, height).bandsplit()
    grain = image.gaussnoise(width, height, mean=0, sigma=6, seed=seed)
    scene = grain.bandjoin([grain, grain]) + (down / height).bandjoin([down / (2 * height), 0]) * 120
    scene = scene.linear(1, [90, 150, 215])
    for ridge in range(1, 4):
        crest = (across * (57 * math.pi / width) * (1 + ridge) + 100 * seed).sin() * (height / 14)
        earth = image.perlin(width, height, cell_size=max(4, height // 40), seed=seed + ridge) / 6 + grain
        hill = earth.bandjoin([earth, earth]).linear(1, [70 - 18 * ridge, 130 - 22 * ridge, 80 - 20 * ridge])
        scene = (down > crest + height * (0.42 + 0.15 * ridge)).ifthenelse(hill, scene)
    return scene.cast("uchar").copy(interpretation="srgb")


def example_files() -> list[tuple[str, bytes]]:
    """A few small images of different formats, as pairs of a name and its bytes."""
    return [
        ("hills.jpg", landscape(1200, 800, seed=1).jpegsave_buffer(Q=90)),
        ("badge.png", _badge(480).pngsave_buffer()),
        ("clouds.gif", _drift(240, 160, frames=8).gifsave_buffer()),
    ]


def _badge(side: int) -> Any:
    """A plum disc on a transparent ground."""
    across = vips().Image.xyz(side, side) - side / 2
    distance = (across[0] ** 2 + across[1] ** 2) ** 0.5
    alpha = (side * 0.46 - distance) * 64
    shade = across[1] * (40 / side)
    return (shade + 122).bandjoin([shade + 44, shade + 143, alpha]).cast("uchar").copy(interpretation="srgb")


def _drift(width: int, height: int, *, frames: int) -> Any:
    """The same view, wandering to the side and back."""
    library = vips()
    wide = landscape(width * 2, height, seed=2).copy_memory()
    places = [round(width / 2 * (1 - math.cos(2 * math.pi * n / frames))) for n in range(frames)]
    views = [wide.crop(left, 0, width, height) for left in places]
    image = views[0].pagejoin(views[1:]).copy()
    image.set_type(library.GValue.array_int_type, "delay", [120] * frames)
    return image
