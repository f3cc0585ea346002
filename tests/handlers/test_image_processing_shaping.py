"""Size, orientation, colours, transparency, sharpness and watermarks of what is made."""

from __future__ import annotations

import pytest

from tasks.handlers.image_processing.library import vips
from tasks.handlers.image_processing.watermark import has_font
from tasks.testing import run_handler
from tests.handlers import pictures
from tests.handlers.pictures import BLUE, RED, near, pixel, size


def make(content, name="p", **parameters):
    """The one output made of the content."""
    outcome = run_handler("IMAGE_PROCESSING", {"images": [(name, content)], "output_format": "PNG", **parameters})
    assert outcome.failed is None
    return outcome.files[outcome.result["processed_images"][0]["output_name"]]


@pytest.mark.parametrize(
    ("mode", "target", "becomes"),
    [
        ("fit", "100x100", (100, 50)),
        ("fit", "100x", (100, 50)),
        ("fit", "x100", (200, 100)),
        ("fit", "800x600", (400, 200)),
        ("fill", "100x100", (100, 100)),
        ("fill", "500x500", (500, 500)),
        ("exact", "100x100", (100, 100)),
        ("exact", "500x700", (500, 700)),
    ],
)
def test_each_way_of_resizing_keeps_its_word(mode, target, becomes):
    assert size(make(pictures.jpeg(pictures.halves()), resize=mode, target_size=target)) == becomes


def test_only_who_asks_gets_a_small_picture_enlarged():
    content = pictures.jpeg(pictures.halves(40, 20))
    assert size(make(content)) == (40, 20)
    assert size(make(content, enlarge=True)) == (800, 400)


@pytest.mark.parametrize("mode", ["fit", "fill", "exact"])
def test_a_single_pixel_is_a_picture_too(mode):
    made = make(pictures.plain(1, 1, RED).pngsave_buffer(), resize=mode, target_size="20x20", sharpen=True)
    assert size(made) == ((1, 1) if mode == "fit" else (20, 20))


def test_a_photograph_is_turned_upright():
    made = make(pictures.turned_jpeg(6), target_size="100x100")
    assert size(made) == (50, 100)
    # Turned to the right: what was on the left is at the top.
    assert near(pixel(made, 25, 5), RED)
    assert near(pixel(made, 25, 95), BLUE)


def test_who_wants_a_photograph_left_on_its_side_gets_that():
    assert size(make(pictures.turned_jpeg(6), target_size="100x100", auto_rotate=False)) == (100, 50)


@pytest.mark.parametrize(
    "content", [pictures.cmyk_jpeg, pictures.deep_png, lambda: pictures.jpeg(pictures.halves(), keep="all")]
)
@pytest.mark.parametrize("made", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_print_colours_and_sixteen_bits_become_what_screens_show(content, made):
    output = make(content(), output_format=made, target_size="100x100")
    assert pictures.opened(output).format == "uchar"
    # Print cannot show a full blue: what comes back from CMYK is near, not equal.
    assert near(pixel(output, 10, 25)[:3], RED, by=90)
    assert near(pixel(output, 90, 25)[:3], BLUE, by=90)


def test_a_grey_picture_keeps_its_shade():
    output = make(pictures.plain(50, 50, [90]).pngsave_buffer(), output_format="JPEG")
    assert all(abs(value - 90) <= 2 for value in pixel(output, 25, 25))


def test_what_is_transparent_becomes_white_in_a_jpeg_or_the_colour_asked_for():
    assert near(pixel(make(pictures.palette_png(), output_format="JPEG"), 50, 100), [255, 255, 255], by=6)
    green = make(pictures.palette_png(), output_format="JPEG", background="#00ff00")
    assert near(pixel(green, 50, 100), [0, 255, 0], by=12)
    assert near(pixel(green, 350, 100), BLUE)


@pytest.mark.parametrize("made", ["PNG", "WEBP", "AVIF"])
def test_what_is_transparent_stays_so_where_the_format_can(made):
    output = make(pictures.palette_png(), output_format=made, target_size="100x100", sharpen=True)
    assert pixel(output, 10, 25)[3] == 0
    assert pixel(output, 90, 25)[3] == 255


@pytest.mark.parametrize("mode", ["fit", "fill", "exact"])
@pytest.mark.parametrize(
    "content", [lambda: pictures.moving().gifsave_buffer(), lambda: pictures.moving().webpsave_buffer()]
)
def test_an_animation_stays_one_in_webp_at_its_pace(mode, content):
    output = pictures.opened(make(content(), output_format="WEBP", resize=mode, target_size="60x60", sharpen=True))
    assert (output.width, output.get_page_height()) == ((60, 40) if mode == "fit" else (60, 60))
    assert output.get("n-pages") == 5
    assert output.get("delay") == [70] * 5
    last = output.crop(0, output.height - 20, 10, 10)
    assert near([round(value) for value in last.getpoint(5, 5)][:3], BLUE, by=40)


def test_an_animation_gives_its_first_frame_to_a_format_that_stands_still():
    output = make(pictures.moving().gifsave_buffer(), output_format="JPEG")
    assert size(output) == (120, 80)
    assert near(pixel(output, 60, 40), RED)


def test_sharpening_makes_edges_steeper():
    soft = pictures.halves(800, 400).gaussblur(3)
    edge = [make(pictures.jpeg(soft, Q=100), target_size="200x100", sharpen=sharpen) for sharpen in (False, True)]
    across = vips().Image.new_from_array([[-1, 1]])
    soft_step, sharp_step = (pictures.opened(one).cast("float").conv(across).abs().max() for one in edge)
    assert sharp_step > 1.1 * soft_step


@pytest.fixture
def font():
    if not has_font():
        pytest.skip("this machine has no font")


def changed(content, **parameters):
    """Where the mark is: left, top, width and height of what differs from the picture without it."""
    without, marked = (pictures.opened(make(content, **one)) for one in ({}, parameters))
    return (marked - without).abs().extract_band(0).find_trim(background=[0], threshold=8)


@pytest.mark.usefixtures("font")
@pytest.mark.parametrize("text", ["© TaskHub", "<b>& friends", "写真"])
def test_a_text_is_written_where_it_was_asked_for(text):
    content = pictures.plain(400, 400, [120, 120, 120]).pngsave_buffer()
    left, top, width, height = changed(content, watermark_text=text, watermark_position="top-left")
    assert 0 < left < 40
    assert 0 < top < 40
    assert 0 < width < 200
    assert 0 < height < 60


@pytest.mark.usefixtures("font")
def test_a_text_marks_every_frame():
    content = pictures.moving(200, 100).gifsave_buffer()
    output = pictures.opened(make(content, output_format="WEBP", quality=90, watermark_text="MARK"))
    frames = output.pagesplit()
    assert len(frames) == 5
    assert all(frame.crop(100, 80, 95, 18).deviate() > 20 for frame in frames)


def test_an_image_is_laid_over_in_the_colours_it_has():
    mark = pictures.plain(100, 50, BLUE).pngsave_buffer()
    content = pictures.plain(400, 400, RED).pngsave_buffer()
    output = make(content, watermark_image=("logo.png", mark), watermark_position="centre", watermark_opacity=100)
    assert near(pixel(output, 200, 200), BLUE, by=4)
    assert near(pixel(output, 20, 20), RED, by=4)
    half = make(content, watermark_image=("logo.png", mark), watermark_position="centre", watermark_opacity=50)
    assert near(pixel(half, 200, 200), [125, 30, 125], by=6)


def test_a_watermark_that_is_no_image_ends_the_task_before_it_starts():
    images = [("p.jpg", pictures.jpeg())]
    outcome = run_handler("IMAGE_PROCESSING", {"images": images, "watermark_image": ("logo.svg", b"<svg/>")})
    assert outcome.failed is not None
    assert outcome.failed.startswith("logo.svg cannot be taken: its content is SVG.")


def test_an_output_that_would_be_too_large_is_refused():
    outcome = run_handler(
        "IMAGE_PROCESSING",
        {"images": [("p.jpg", pictures.jpeg())], "resize": "exact", "target_size": "16000x16000"},
    )
    assert outcome.failed == "p.jpg would have more than 100 megapixels at 16000 x 16000."


def test_a_profile_is_turned_into_srgb_and_left_out():
    profiled = pictures.halves().icc_transform("p3", input_profile="srgb").pngsave_buffer(keep="all")
    output = pictures.opened(make(profiled))
    assert output.get_typeof("icc-profile-data") == 0
    assert near([round(value) for value in output.getpoint(50, 50)], RED, by=4)
    kept = pictures.opened(make(profiled, to_srgb=False))
    assert kept.get_typeof("icc-profile-data") != 0
