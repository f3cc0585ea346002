"""What IMAGE_PROCESSING may be asked for."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from tasks.handlers.image_processing.formats import WRITABLE
from tasks.handlers.image_processing.recipe import Box
from tasks.handlers.image_processing.watermark import PLACES
from tasks.parameters import FileParameter, FilesParameter

MAX_IMAGES = 1000
MAX_SIZES = 8
MAX_SIDE = 16_384
MAX_IMAGE_BYTES = 256 * 1024 * 1024
RESIZING = [
    ("fit", _("Fit inside the size")),
    ("fill", _("Fill the size, cropping what matters least")),
    ("exact", _("Exactly the size, even if it distorts")),
]


class SizeField(serializers.RegexField):
    """A size in pixels: "800x600", or with one side left open, "800x" or "x600"."""

    default_error_messages = {
        "invalid": _("Write a size as 800x600; leave a side open as in 800x or x600."),
        "side": _("Each side has 1 to {limit} pixels."),
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(re.compile(r"^([0-9]{1,6}x[0-9]{0,6}|x[0-9]{1,6})$"), **kwargs)

    def to_internal_value(self, data: Any) -> str:
        return super().to_internal_value(data).replace(" ", "").lower()

    def run_validators(self, value: Any) -> None:
        super().run_validators(value)
        if not all(1 <= side <= MAX_SIDE for side in Box(value).sides if side is not None):
            self.fail("side", limit=MAX_SIDE)


class FormatField(serializers.ChoiceField):
    """One of the formats, in capitals or not; JPG is JPEG."""

    def to_internal_value(self, data: Any) -> str:
        name = data.strip().upper() if isinstance(data, str) else data
        return super().to_internal_value("JPEG" if name == "JPG" else name)


class Parameters(serializers.Serializer[Any]):
    images = FilesParameter(
        required=False,
        max_length=MAX_IMAGES,
        max_bytes=MAX_IMAGE_BYTES,
        label=_("Images"),
        help_text=_("JPEG, PNG, WEBP, GIF, AVIF or TIFF, told by their content. Without any, sample images are made."),
    )
    num_images = serializers.IntegerField(
        default=5,
        min_value=1,
        max_value=MAX_IMAGES,
        label=_("Sample images"),
        help_text=_("How many samples to make when no images are given."),
    )
    target_size = SizeField(
        default="800x600",
        label=_("Size"),
        help_text=_("Width and height in pixels, 800x600. One side may be left open: 800x or x600."),
    )
    sizes = serializers.ListField(
        child=SizeField(),
        default=list,
        max_length=MAX_SIZES,
        label=_("Several sizes"),
        help_text=_("Makes each image in each of these sizes, in place of the one above: 320x, 640x, 1280x."),
    )
    resize = serializers.ChoiceField(
        RESIZING, default="fit", label=_("Resizing"), help_text=_("What to do where the proportions differ.")
    )
    enlarge = serializers.BooleanField(
        default=False, label=_("Enlarge"), help_text=_("When fitting, also make small images larger.")
    )
    output_format = FormatField(
        list(WRITABLE),
        default="JPEG",
        label=_("Format"),
        help_text=_("What to convert to. Animations stay animated in WEBP; the others get the first frame."),
    )
    quality = serializers.IntegerField(
        default=None,
        allow_null=True,
        min_value=1,
        max_value=100,
        label=_("Quality"),
        help_text=_("1 to 100. Left empty: 82 for JPEG, 80 for WEBP, 55 for AVIF, all colours for PNG."),
    )
    max_bytes = serializers.IntegerField(
        default=None,
        allow_null=True,
        min_value=500,
        max_value=MAX_IMAGE_BYTES,
        label=_("At most this many bytes"),
        help_text=_("Lowers the quality of each output until it has at most this many bytes."),
    )
    auto_rotate = serializers.BooleanField(
        default=True, label=_("Turn upright"), help_text=_("Turn photographs as their camera noted it (EXIF).")
    )
    to_srgb = serializers.BooleanField(
        default=True, label=_("Convert to sRGB"), help_text=_("Convert colours for screens; else keep their profile.")
    )
    sharpen = serializers.BooleanField(
        default=False, label=_("Sharpen"), help_text=_("Sharpen a little what was made smaller.")
    )
    keep_metadata = serializers.BooleanField(
        default=False,
        label=_("Keep metadata"),
        help_text=_("Keep camera data, place and captions. Off: they are removed."),
    )
    background = serializers.RegexField(
        re.compile(r"^#[0-9a-fA-F]{6}$"),
        default="#ffffff",
        label=_("Background"),
        help_text=_("The colour behind transparent parts in a JPEG, as in #ffffff."),
        error_messages={"invalid": _("Write a colour as #rrggbb, for instance #ffffff.")},
    )
    watermark_text = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=100,
        label=_("Watermark text"),
        help_text=_("Written over every output, for instance a name or ©."),
    )
    watermark_image = FileParameter(
        required=False,
        max_bytes=MAX_IMAGE_BYTES,
        label=_("Watermark image"),
        help_text=_("Laid over every output; a transparent PNG does best."),
    )
    watermark_position = serializers.ChoiceField(
        list(PLACES), default="bottom-right", label=_("Watermark place"), help_text=_("Where the watermark goes.")
    )
    watermark_opacity = serializers.IntegerField(
        default=60,
        min_value=1,
        max_value=100,
        label=_("Watermark opacity"),
        help_text=_("Per cent; 100 covers what is under it."),
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["watermark_text"] and attrs.get("watermark_image"):
            raise serializers.ValidationError(
                {"watermark_image": [_("Give a text or an image as watermark, not both.")]}
            )
        if attrs["resize"] != "fit":
            self._check_whole(attrs)
        return attrs

    def _check_whole(self, attrs: dict[str, Any]) -> None:
        named = "sizes" if attrs["sizes"] else "target_size"
        if not all(Box(text).is_whole for text in attrs["sizes"] or [attrs["target_size"]]):
            raise serializers.ValidationError({named: [_("Filling and exact sizes need both sides, as in 800x600.")]})
