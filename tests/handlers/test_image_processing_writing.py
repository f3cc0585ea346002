"""File format, quality, size in bytes, metadata of what is written."""

from __future__ import annotations

import pytest

from tasks.testing import run_handler
from tests.handlers import pictures


def make(content, **parameters):
    outcome = run_handler("IMAGE_PROCESSING", {"images": [("p", content)], **parameters})
    name = outcome.result["processed_images"][0]["output_name"] if outcome.result else ""
    return outcome.failed or outcome.files[name]


@pytest.mark.parametrize("made", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_a_lower_quality_makes_a_smaller_file(made):
    low, high = (make(pictures.jpeg(), output_format=made, quality=quality) for quality in (10, 95))
    assert len(low) < len(high)


@pytest.mark.parametrize(("made", "limit"), [("PNG", 150_000), ("JPEG", 12_000), ("WEBP", 9_000), ("AVIF", 8_000)])
def test_a_size_in_bytes_is_kept_and_used(made, limit):
    output = make(pictures.jpeg(Q=95), output_format=made, max_bytes=limit)
    assert limit / 3 < len(output) <= limit
    assert pictures.size(output) == (640, 480)


def test_a_size_that_cannot_be_reached_is_said_in_a_sentence():
    said = make(pictures.jpeg(Q=95), output_format="PNG", max_bytes=600)
    assert said.startswith("p has ")
    assert "more than the 600" in said


def test_a_size_in_bytes_holds_for_an_animation():
    content = pictures.moving(200, 200, frames=8).gifsave_buffer()
    output = make(content, output_format="WEBP", max_bytes=6_000)
    assert len(output) <= 6_000
    assert pictures.opened(output).get("n-pages") == 8


@pytest.mark.parametrize("made", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_metadata_goes_unless_it_is_asked_for(made):
    stripped, kept = (
        pictures.opened(make(pictures.turned_jpeg(), output_format=made, keep_metadata=keep)) for keep in (False, True)
    )
    assert not [name for name in stripped.get_fields() if name.startswith("exif")]
    assert "Camera works" in kept.get("exif-ifd0-Make")
    # It was turned: a viewer must not turn it once more.
    assert kept.get_typeof("orientation") == 0 or kept.get("orientation") == 1
