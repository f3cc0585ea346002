"""Template tags for the result page of IMAGE_PROCESSING."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

SIDE = 96  # pixels of a thumbnail's longer side


@register.simple_tag
def thumbnail(file_id: str, dimensions: str, alt: str) -> SafeString:
    """The file as a small picture: `dimensions` is its real size, "800x600". Its place is kept while it loads."""
    width, height = (int(side) for side in dimensions.split("x"))
    scale = min(1, SIDE / max(width, height))
    return format_html(
        '<img src="{}?inline" alt="{}" width="{}" height="{}" loading="lazy" decoding="async">',
        reverse("tasks:file", args=[file_id]),
        alt,
        max(1, round(width * scale)),
        max(1, round(height * scale)),
    )


@register.filter
def saved_percent(entry: Mapping[str, Any]) -> int:
    """By how many per cent an image got smaller; negative: larger."""
    return _percent(entry["original_size"] - entry["new_size"], entry["original_size"])


@register.filter
def total_saved_percent(result: Mapping[str, Any]) -> int:
    """By how many per cent all images together got smaller, or larger."""
    return abs(_percent(result["total_size_saved"], result["total_original_size"]))


def _percent(part: int, whole: int) -> int:
    return round(100 * part / whole) if whole else 0


@register.filter
def smallest(outputs: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The output that loads fastest, for a thumbnail."""
    return min(outputs, key=lambda output: output["size"])


@register.filter
def absolute(number: int) -> int:
    return abs(number)
