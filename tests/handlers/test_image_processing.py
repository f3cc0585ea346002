"""IMAGE_PROCESSING as a whole: the original's parameters, items, names, archive, interrupts, result page."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile

import pytest
from django.template.loader import render_to_string
from rest_framework.exceptions import ValidationError

from tasks import registry
from tasks.context import ItemRecord, State, TaskInterrupted
from tasks.files import save_output
from tasks.testing import MemoryRecorder, run_handler
from tests.handlers import pictures

IMAGE_KEYS = {"original_name", "output_name", "original_size", "new_size", "compression_ratio", "dimensions"}


def run(images, **parameters):
    return run_handler("IMAGE_PROCESSING", {"images": images, **parameters})


def archive_of(outcome):
    return zipfile.ZipFile(io.BytesIO(outcome.files["images.zip"]))


def test_with_only_the_originals_parameters_samples_are_really_processed():
    outcome = run_handler("IMAGE_PROCESSING", {"num_images": 3, "target_size": "320x240", "output_format": "PNG"})
    result = outcome.result
    assert (result["total_images"], result["processed_successfully"]) == (3, 3)
    assert (result["output_format"], result["target_size"]) == ("PNG", "320x240")
    for image in result["processed_images"]:
        assert image.keys() >= IMAGE_KEYS
        assert len(outcome.files[image["output_name"]]) == image["new_size"]
        width, height = pictures.size(outcome.files[image["output_name"]])
        assert image["dimensions"] == f"{width}x{height}"
        assert width == 320 or height == 240
    saved = sum(image["original_size"] - image["new_size"] for image in result["processed_images"])
    assert result["total_size_saved"] == saved > 0


def test_without_any_parameter_five_samples_fit_800_by_600():
    result = run_handler("IMAGE_PROCESSING").result
    assert (result["total_images"], result["target_size"]) == (5, "800x600")


@pytest.mark.parametrize("made", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_every_readable_format_becomes_every_writable_one(made):
    outcome = run(list(pictures.every_format().items()), target_size="64x64", output_format=made)
    assert set(outcome.items.values()) == {State.DONE}
    loaders = {"PNG": "pngload", "JPEG": "jpegload", "WEBP": "webpload", "AVIF": "heifload"}
    for image in outcome.result["processed_images"]:
        content = outcome.files[image["output_name"]]
        assert pictures.size(content) == (64, 48)
        assert pictures.opened(content).get("vips-loader").startswith(loaders[made])


def test_a_broken_image_fails_alone_and_the_log_says_why():
    whole = pictures.jpeg()
    outcome = run(
        [("a.jpg", whole), ("b.jpg", whole[: len(whole) // 2]), ("c.png", b"not a picture, though called one")]
    )
    assert outcome.items == {"a.jpg": State.DONE, "b.jpg": State.FAILED, "c.png": State.FAILED}
    result = outcome.result
    assert (result["total_images"], result["processed_successfully"], result["failed"]) == (3, 1, 2)
    assert result["failed_images"][1]["error"].startswith("c.png cannot be taken: its content is text.")
    assert "b.jpg cannot be read: the file is damaged or incomplete." in outcome.log


def test_a_task_whose_images_all_fail_fails_with_the_first_ones_sentence():
    outcome = run([("a.png", b"no"), ("b.png", b"")])
    assert outcome.failed == (
        "None of the 2 images could be processed. The first: a.png cannot be taken: its content is text."
        " Taken are: JPEG, PNG, WEBP, GIF, AVIF, TIFF."
    )


def test_names_alike_are_told_apart_and_the_archive_holds_each_output_under_its_name():
    picture = pictures.jpeg()
    names = [
        "ähm 写真.jpg",
        "ähm 写真.jpg",
        "Ähm 写真.JPG",
        "<script>alert(1)</script>.jpg",
        "..\\..\\evil.jpg",
        "noending",
    ]
    outcome = run([(name, picture) for name in names], target_size="32x32", output_format="PNG")
    made = [image["output_name"] for image in outcome.result["processed_images"]]
    assert made == [
        "ähm 写真.png",
        "ähm 写真-2.png",
        "Ähm 写真-3.png",
        "_script_alert(1)__script_.png",
        "_.._evil.png",
        "noending.png",
    ]
    assert [image["original_name"] for image in outcome.result["processed_images"]] == names
    with archive_of(outcome) as archive:
        assert archive.namelist() == made
        assert archive.testzip() is None
        assert archive.read("noending.png") == outcome.files["noending.png"]


def test_an_image_whose_name_looks_like_anothers_second_is_not_left_out():
    picture = pictures.jpeg()
    outcome = run([(name, picture) for name in ("a.png", "a.png", "a.png (2)", "a.png")], target_size="32x32")
    assert list(outcome.items) == ["a.png", "a.png (2)", "a.png (2) (2)", "a.png (3)"]


def test_several_sizes_make_a_responsive_set_without_what_would_be_made_twice():
    outcome = run([("p.jpg", pictures.jpeg(pictures.photo(500, 400)))], sizes=["320x", "1280x", "2560x", "100x"])
    [image] = outcome.result["processed_images"]
    assert [output["name"] for output in image["outputs"]] == ["p-320x256.jpg", "p-500x400.jpg", "p-100x80.jpg"]
    assert (image["output_name"], image["dimensions"]) == ("p-500x400.jpg", "500x400")
    assert outcome.result["target_size"] == "320x, 1280x, 2560x, 100x"


def test_an_image_of_which_one_size_fails_leaves_no_other_size_behind():
    images = [("a.jpg", pictures.jpeg()), ("b.png", pictures.plain(500, 400, pictures.RED).pngsave_buffer())]
    outcome = run(images, sizes=["10x", "500x"], max_bytes=3000, output_format="PNG")
    assert outcome.items == {"a.jpg": State.FAILED, "b.png": State.DONE}
    assert outcome.files.keys() == {"b-10x8.png", "b-500x400.png", "images.zip"}


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"target_size": "800"}, "target_size"),
        ({"target_size": "0x600"}, "target_size"),
        ({"target_size": "800x99999"}, "target_size"),
        ({"target_size": "x"}, "target_size"),
        ({"target_size": "800x", "resize": "fill"}, "target_size"),
        ({"sizes": ["800x600", "400x"], "resize": "exact"}, "sizes"),
        ({"output_format": "BMP"}, "output_format"),
        ({"num_images": 0}, "num_images"),
        ({"num_images": 1001}, "num_images"),
        ({"quality": 101}, "quality"),
        ({"background": "white"}, "background"),
        ({"watermark_text": "a", "watermark_image": ("w.png", b"x")}, "watermark_image"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_starts(parameters, field):
    with pytest.raises(ValidationError) as refusal:
        run_handler("IMAGE_PROCESSING", parameters)
    assert list(refusal.value.detail) == [field]


@pytest.mark.parametrize(("given", "meant"), [("jpg", "JPEG"), (" webp ", "WEBP"), ("Png", "PNG")])
def test_a_format_may_be_written_as_people_write_it(given, meant):
    assert registry.get("IMAGE_PROCESSING").validate({"output_format": given})["output_format"] == meant


def test_an_interrupt_between_two_images_keeps_what_is_done():
    recorder = MemoryRecorder(interrupt_after=12)
    with pytest.raises(TaskInterrupted):
        run_handler("IMAGE_PROCESSING", {"num_images": 50, "target_size": "32x32"}, recorder=recorder)
    states = [record.state for record in recorder.records.values()]
    assert 0 < states.count(State.DONE) < 50
    assert set(states) == {State.DONE, State.PENDING}


class StoppingRecorder(MemoryRecorder):
    """Stops whatever says how it can be stopped."""

    def on_interrupt(self, stop):
        if stop is not None:
            stop()


class InterruptingRecorder(StoppingRecorder):
    """Is interrupted then, too."""

    def on_interrupt(self, stop):
        super().on_interrupt(stop)
        self.interrupt_after = 0


@pytest.mark.parametrize("parameters", [{}, {"max_bytes": 20_000}, {"output_format": "AVIF"}])
def test_libvips_can_be_stopped_while_it_computes(parameters):
    outcome = run_handler("IMAGE_PROCESSING", {"num_images": 1, **parameters}, recorder=StoppingRecorder())
    assert outcome.failed is not None
    assert outcome.files == {}


def test_an_image_whose_computing_was_interrupted_is_not_called_damaged():
    recorder = InterruptingRecorder()
    with pytest.raises(TaskInterrupted):
        run_handler("IMAGE_PROCESSING", {"num_images": 1}, recorder=recorder)
    assert [record.state for record in recorder.records.values()] == [State.PENDING]
    assert (recorder.files, recorder.lines) == ({}, [])


@pytest.mark.django_db
def test_a_second_try_does_what_is_left_and_packs_what_the_first_one_saved(make_task):
    images = [(f"{n}.jpg", pictures.jpeg()) for n in range(3)]
    first = run(images[:1], target_size="32x32")
    [record] = first.recorder.records.values()
    saved = save_output(make_task().pk, "0.jpg", first.files["0.jpg"], claim=1)
    saved.save()
    record.detail["entry"]["outputs"][0]["file"] = str(saved.pk)
    # The first try's worker died while it was busy with the second image.
    records = {"0.jpg": record, "1.jpg": ItemRecord(1, "1.jpg"), "2.jpg": ItemRecord(2, "2.jpg")}
    second = run_handler(
        "IMAGE_PROCESSING", {"images": images, "target_size": "32x32"}, recorder=MemoryRecorder(records=records)
    )
    assert second.files.keys() == {"1.jpg", "2.jpg", "images.zip"}
    assert second.result["processed_successfully"] == 3
    with archive_of(second) as archive:
        assert sorted(archive.namelist()) == ["0.jpg", "1.jpg", "2.jpg"]


def test_a_retry_of_the_failed_images_does_just_those():
    records = {"b.jpg": ItemRecord(1, "b.jpg")}
    outcome = run_handler(
        "IMAGE_PROCESSING",
        {"images": [("a.jpg", pictures.jpeg()), ("b.jpg", pictures.jpeg())], "target_size": "32x32"},
        recorder=MemoryRecorder(records=records),
        retry_items=["failed"],
    )
    assert [image["original_name"] for image in outcome.result["processed_images"]] == ["b.jpg"]
    assert outcome.result["total_images"] == 1


def test_importing_the_handlers_leaves_libvips_unloaded():
    """The sentinel imports them and forks: a fork after libvips was used hangs the child."""
    code = (
        "import django, sys; django.setup(); import tasks.handlers;"
        "from tasks import registry; registry.get('IMAGE_PROCESSING').validate({});"
        "sys.exit(any(name.split('.')[0] in ('pyvips', '_libvips') for name in sys.modules))"
    )
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


def test_the_task_list_tells_images_savings_and_failures():
    outcome = run([("a.jpg", pictures.jpeg()), ("b.jpg", b"no")], target_size="32x32")
    said = registry.get("IMAGE_PROCESSING").summarize(outcome.result)
    assert said.startswith("1 image, ")
    assert said.endswith(" saved, 1 failed")


def test_a_task_is_named_after_its_images():
    kind = registry.get("IMAGE_PROCESSING")
    assert kind.name_for(kind.validate({"output_format": "WEBP"})) == "5 sample images to WEBP"


def test_the_sample_on_the_form_runs_as_it_is():
    sample = registry.get("IMAGE_PROCESSING").sample()
    outcome = run_handler("IMAGE_PROCESSING", sample)
    assert set(outcome.items.values()) == {State.DONE}


def test_more_and_larger_sets_get_more_time():
    kind = registry.get("IMAGE_PROCESSING")
    few, many = (kind.validate({"num_images": count, "sizes": ["10x", "20x"]}) for count in (1, 500))
    assert kind.timeout_for(few) < kind.timeout_for(many)


def test_the_result_page_shows_every_image_and_keeps_a_script_in_a_name_as_text():
    outcome = run([("<script>x.jpg", pictures.jpeg()), ("<b>.png", b"")], target_size="300x200")
    page = render_to_string("tasks/results/image_processing.html", {"result": outcome.result, "files": []})
    [output] = outcome.result["processed_images"][0]["outputs"]
    assert f'{output["file"]}/?inline"' in page or f'{output["file"]}?inline"' in page
    assert 'width="96" height="72"' in page
    assert "<script>" not in page
    assert "&lt;script&gt;x.jpg" in page
    assert "style=" not in page
