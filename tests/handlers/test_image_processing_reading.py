"""What is taken and what is refused, told by the content and the header alone."""

from __future__ import annotations

import pytest

from tasks.handlers.image_processing import reading
from tasks.handlers.image_processing.formats import sniff
from tasks.handlers.image_processing.library import vips
from tasks.handlers.image_processing.reading import Unusable, look_at
from tests.handlers import pictures


def look(tmp_path, content, name="picture"):
    path = tmp_path / "stored"
    path.write_bytes(content)
    return look_at(path, name)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"%PDF-1.7", "PDF"),
        (b"BM\x36\0\0\0", "BMP"),
        (b"8BPS\0\1", "PSD"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypavis\0\0\0\0avifmif1", "animated AVIF"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp41", "video"),
        (b"PK\3\4", "ZIP"),
        ("id;größe\n1;2".encode(), "text"),
        (b"\xff\xfe\x00\x01nonsense", None),
        (b"", None),
    ],
)
def test_what_is_no_picture_we_take_is_refused_by_what_it_is(content, found, tmp_path):
    assert sniff(content) == found
    with pytest.raises(Unusable) as refusal:
        look(tmp_path, content, "holiday.png")
    assert f"holiday.png cannot be taken: its content is {found or 'no image'}." in str(refusal.value)
    assert "Taken are: JPEG, PNG, WEBP, GIF, AVIF, TIFF." in str(refusal.value)


@pytest.mark.parametrize(("name", "content"), pictures.every_format().items())
def test_a_format_is_told_by_content_whatever_the_name_says(name, content, tmp_path):
    picture = look(tmp_path, content, "something.txt")
    assert (picture.width, picture.height, picture.frames) == (640, 480, 1)


def test_a_picture_of_900_megapixels_is_refused_by_its_header(tmp_path):
    with pytest.raises(Unusable, match=r"has 900 megapixels \(30000 x 30000\); at most 100 are taken"):
        look(tmp_path, pictures.huge_png(30_000, 30_000))


def test_an_animation_of_too_many_frames_is_refused(tmp_path):
    with pytest.raises(Unusable, match="has 201 frames; at most 200 are taken"):
        look(tmp_path, pictures.moving(201, 2, frames=201).gifsave_buffer())


def test_frames_that_are_too_large_together_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MAX_MOVING_PIXELS", 2_000_000)
    with pytest.raises(Unusable, match="The 5 frames of picture have more than 2 megapixels together"):
        look(tmp_path, pictures.moving(1000, 500).webpsave_buffer())


def test_a_header_that_lies_is_a_damaged_file(tmp_path):
    with pytest.raises(Unusable, match="picture cannot be read"):
        look(tmp_path, b"\x89PNG\r\n\x1a\n" + b"\xff" * 200)


def test_loaders_of_untrusted_formats_are_blocked_even_when_asked_for():
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>'
    with pytest.raises(vips().Error):
        vips().Image.new_from_buffer(svg, "")


def test_a_picture_that_lies_on_its_side_is_known_upright(tmp_path):
    assert look(tmp_path, pictures.turned_jpeg()).upright == (200, 400)
