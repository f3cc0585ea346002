"""What came of the images: one entry an image, and the result that sums them up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from rest_framework import serializers

from tasks.handlers.image_processing.reading import Picture

# What every browser shows, and how large an original may be to be shown beside its output.
SHOWABLE = {"JPEG", "PNG", "WEBP", "GIF", "AVIF"}
SHOWABLE_BYTES = 8 * 1024 * 1024


class OutputFields(serializers.Serializer[Any]):
    name = serializers.CharField()
    size = serializers.IntegerField(help_text=gettext_lazy("Bytes."))
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    file = serializers.UUIDField()


class Entry(serializers.Serializer[Any]):
    original_name = serializers.CharField()
    output_name = serializers.CharField()
    original_size = serializers.IntegerField(help_text=gettext_lazy("Bytes."))
    new_size = serializers.IntegerField(help_text=gettext_lazy("Bytes."))
    compression_ratio = serializers.FloatField(help_text=gettext_lazy("The original's size by the new one."))
    dimensions = serializers.CharField(help_text="800x600")
    original_dimensions = serializers.CharField(help_text="800x600")
    original_format = serializers.CharField()
    original_file = serializers.UUIDField(allow_null=True, help_text=gettext_lazy("Null where no browser shows it."))
    frames = serializers.IntegerField()
    outputs = OutputFields(many=True, help_text=gettext_lazy("One a size; the largest stands for the image."))


class Failure(serializers.Serializer[Any]):
    original_name = serializers.CharField()
    error = serializers.CharField()


class Result(serializers.Serializer[Any]):
    """What came of the images, image by image and in all."""

    total_images = serializers.IntegerField()
    processed_successfully = serializers.IntegerField()
    failed = serializers.IntegerField()
    output_format = serializers.CharField()
    target_size = serializers.CharField()
    processed_images = Entry(many=True)
    failed_images = Failure(many=True)
    total_original_size = serializers.IntegerField(help_text=gettext_lazy("Bytes."))
    total_new_size = serializers.IntegerField(help_text=gettext_lazy("Bytes."))
    total_size_saved = serializers.IntegerField(help_text=gettext_lazy("Bytes."))
    archive_size = serializers.IntegerField(help_text=gettext_lazy("Bytes."))
    archive = serializers.UUIDField(help_text=gettext_lazy("The zip file with all outputs."))


@dataclass(frozen=True)
class Output:
    """A file that was made of an image. `size` is in bytes, `file` its id."""

    name: str
    size: int
    width: int
    height: int
    file: str


def entry_for(
    picture: Picture, original_size: int, original_file: str | None, outputs: list[Output], *, frames: int
) -> dict[str, Any]:
    """One image in the result. Its largest output stands for it; `outputs` has them all."""
    first = max(outputs, key=lambda output: output.width * output.height)
    width, height = picture.upright
    shown = original_file if picture.format in SHOWABLE and original_size <= SHOWABLE_BYTES else None
    return {
        "original_name": picture.name,
        "output_name": first.name,
        "original_size": original_size,
        "new_size": first.size,
        "compression_ratio": round(original_size / first.size, 2),
        "dimensions": f"{first.width}x{first.height}",
        "original_dimensions": f"{width}x{height}",
        "original_format": picture.format,
        "original_file": shown,
        "frames": frames,
        "outputs": [asdict(output) for output in outputs],
    }


def in_words(entry: Mapping[str, Any], made: str) -> dict[str, str]:
    """What the image was and became, for its item and the log."""
    return {
        "from": f"{entry['original_format']} {entry['original_dimensions']}, {size_in_words(entry['original_size'])}",
        "into": f"{made} {entry['dimensions']}, {size_in_words(entry['new_size'])}",
    }


def size_in_words(size: int) -> str:
    return filesizeformat(size).replace("\xa0", " ")


def result_of(
    entries: list[dict[str, Any]], failures: list[dict[str, str]], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "total_images": len(entries) + len(failures),
        "processed_successfully": len(entries),
        "failed": len(failures),
        "output_format": parameters["output_format"],
        "target_size": ", ".join(parameters["sizes"]) or parameters["target_size"],
        "processed_images": entries,
        "failed_images": failures,
        "total_original_size": sum(entry["original_size"] for entry in entries),
        "total_new_size": sum(entry["new_size"] for entry in entries),
        "total_size_saved": sum(entry["original_size"] - entry["new_size"] for entry in entries),
    }


def summarize(result: Mapping[str, Any]) -> str:
    """ "48 images, 61.2 MB saved"."""
    count, saved = result["processed_successfully"], result["total_size_saved"]
    images = ngettext("%(count)d image", "%(count)d images", count) % {"count": count}
    difference = _("%(size)s saved") if saved >= 0 else _("%(size)s larger")
    said = f"{images}, {difference % {'size': size_in_words(abs(saved))}}"
    if failed := result["failed"]:
        said += ", " + ngettext("%(count)d failed", "%(count)d failed", failed) % {"count": failed}
    return said
