"""What is to be made of each image: the validated parameters in the words of the steps that follow them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tasks.handlers.image_processing.formats import WRITABLE, Writable

ANY = 10_000_000  # libvips' largest coordinate: a side that is left open


@dataclass(frozen=True)
class Box:
    """A size as somebody wrote it: "800x600", "800x" or "x600"."""

    text: str

    @property
    def sides(self) -> tuple[int | None, int | None]:
        width, _, height = self.text.partition("x")
        return int(width) if width else None, int(height) if height else None

    @property
    def is_whole(self) -> bool:
        return None not in self.sides

    @property
    def width(self) -> int:
        return self.sides[0] or ANY

    @property
    def height(self) -> int:
        return self.sides[1] or ANY

    def size_of(self, width: int, height: int, mode: str, *, enlarge: bool) -> tuple[int, int]:
        """What an image of this width and height comes to."""
        if mode != "fit":
            return self.width, self.height
        scale = min(self.width / width, self.height / height)
        if not enlarge:
            scale = min(scale, 1)
        return max(1, round(width * scale)), max(1, round(height * scale))


@dataclass(frozen=True)
class Recipe:
    """How images are made: sizes, shape, colours, file format."""

    boxes: tuple[Box, ...]
    mode: str = "fit"
    enlarge: bool = False
    format: str = "JPEG"
    quality: int | None = None
    max_bytes: int | None = None
    auto_rotate: bool = True
    to_srgb: bool = True
    sharpen: bool = False
    keep_metadata: bool = False
    background: tuple[int, int, int] = (255, 255, 255)
    watermark: Any = field(default=None, compare=False)

    @classmethod
    def from_parameters(cls, parameters: dict[str, Any], watermark: Any) -> Recipe:
        wanted = parameters["sizes"] or [parameters["target_size"]]
        same = ("enlarge", "quality", "max_bytes", "auto_rotate", "to_srgb", "sharpen", "keep_metadata")
        return cls(
            boxes=tuple(Box(text) for text in wanted),
            mode=parameters["resize"],
            format=parameters["output_format"],
            background=rgb(parameters["background"]),
            watermark=watermark,
            **{name: parameters[name] for name in same},
        )

    @property
    def writable(self) -> Writable:
        return WRITABLE[self.format]


def rgb(colour: str) -> tuple[int, int, int]:
    """ "#ff8000" as three numbers."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue
