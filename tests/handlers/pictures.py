"""Real image files for the tests of IMAGE_PROCESSING, and how to look into what came out."""

from __future__ import annotations

import struct
import zlib
from typing import Any

from tasks.handlers.image_processing.library import vips
from tasks.handlers.image_processing.samples import landscape

RED, BLUE = [220, 30, 30], [30, 30, 220]


def opened(content: bytes) -> Any:
    """An image with all its frames."""
    load = "n=-1" if content[:4] in (b"GIF8", b"RIFF") else ""
    return vips().Image.new_from_buffer(content, load)


def size(content: bytes) -> tuple[int, int]:
    image = opened(content)
    return image.width, image.get_page_height()


def pixel(content: bytes, x: int, y: int) -> list[int]:
    return [round(value) for value in opened(content).getpoint(x, y)]


def near(one: list[int], other: list[int], by: int = 24) -> bool:
    return len(one) == len(other) and all(abs(a - b) <= by for a, b in zip(one, other, strict=True))


def plain(width: int, height: int, colour: list[int]) -> Any:
    image = vips().Image.black(width, height) + colour
    return image.cast("uchar").copy(interpretation="b-w" if len(colour) < 3 else "srgb")


def halves(width: int = 400, height: int = 200) -> Any:
    """Red on the left, blue on the right."""
    return plain(width // 2, height, RED).join(plain(width - width // 2, height, BLUE), "horizontal")


def photo(width: int = 640, height: int = 480) -> Any:
    return landscape(width, height, seed=1)


def jpeg(image: Any | None = None, **options: Any) -> bytes:
    return (image or photo()).jpegsave_buffer(**options)


def turned_jpeg(orientation: int = 6) -> bytes:
    """A JPEG whose EXIF says that it lies on its side."""
    image = halves().copy()
    image.set_type(vips().GValue.gint_type, "orientation", orientation)
    image.set_type(vips().GValue.gstr_type, "exif-ifd0-Make", "Camera works")
    return image.jpegsave_buffer(Q=95, keep="all")


def cmyk_jpeg() -> bytes:
    return halves().colourspace("cmyk").jpegsave_buffer(Q=95)


def deep_png() -> bytes:
    """Sixteen bits a channel."""
    return (halves().cast("ushort") * 257).copy(interpretation="rgb16").pngsave_buffer(bitdepth=16)


def palette_png() -> bytes:
    """A palette of a few colours; the left half is transparent."""
    alpha = plain(200, 200, [0]).join(plain(200, 200, [255]), "horizontal")
    return halves().bandjoin(alpha).pngsave_buffer(palette=True)


def moving(width: int = 120, height: int = 80, frames: int = 5, delay: int = 70) -> Any:
    """An animation that turns from red to blue while a white bar wanders to the right, so that no two frames agree."""
    shades = [plain(width, height, RED if n < frames / 2 else BLUE) for n in range(frames)]
    step = max(1, width // frames)
    drawn = [shade.draw_rect([255, 255, 255], n * step, 0, step, height, fill=True) for n, shade in enumerate(shades)]
    image = drawn[0].pagejoin(drawn[1:])
    image.set_type(vips().GValue.array_int_type, "delay", [delay] * frames)
    return image


def every_format() -> dict[str, bytes]:
    image = photo()
    return {
        "a.jpg": image.jpegsave_buffer(),
        "b.png": image.pngsave_buffer(),
        "c.webp": image.webpsave_buffer(),
        "d.gif": image.gifsave_buffer(),
        "e.avif": image.heifsave_buffer(compression="av1"),
        "f.tif": image.tiffsave_buffer(compression="lzw"),
    }


def huge_png(width: int, height: int) -> bytes:
    """A real, whole PNG of this size in black and white, small as a file."""
    squeeze = zlib.compressobj(1)
    row = b"\0" * (1 + (width + 7) // 8)
    data = b"".join(squeeze.compress(row * min(1000, height - done)) for done in range(0, height, 1000))
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", data + squeeze.flush()), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
