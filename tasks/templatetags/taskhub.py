"""Template tags of the pages: icons, badges, times."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tasks.downloads import SAFE_INLINE
from tasks.models import Status, Task, TaskFile, WaitsFor
from tasks.web import log, words
from tasks.web.hub import CAP

register = template.Library()

register.filter("duration", words.duration)
register.filter("clock", words.clock)


@register.filter
def thousands(count: Any) -> Any:
    """ "1,284"; what is no number stays as it is, so that a result of another version can still be shown."""
    return words.thousands(count) if isinstance(count, int | float) else count


register.filter("unit", words.largest_unit)
register.filter("readable", log.readable)


@register.filter
def words_of(name: str) -> str:
    """A key of a result for people: `total_rows` reads "Total rows"."""
    return name.replace("_", " ").capitalize()


@register.filter
def plain(value: Any) -> str:
    """Any JSON value as text."""
    if isinstance(value, float | int) and not isinstance(value, bool):
        return words.thousands(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@register.filter
def is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


@register.filter
def tail(key: Any) -> str:
    """The end of an id, which tells ids apart."""
    return str(key)[-8:]


@register.filter
def is_picture(file: TaskFile) -> bool:
    return file.content_type in SAFE_INLINE


@register.filter
def file_icon(file: TaskFile) -> str:
    kind = file.content_type.partition("/")[0]
    return {"image": "image", "message": "email"}.get(kind, "data")


@register.filter
def capped(count: int) -> str:
    return words.capped(count, CAP)


@register.simple_tag
@cache
def icon(name: str) -> SafeString:
    """A symbol of the sprite, for the eye only: a word or a label stands beside it."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', static("icons.svg"), name or "task"
    )


@register.simple_tag
def status(task: Task) -> SafeString:
    """The one badge of a task's status: icon and word."""
    waits = task.status == Status.PENDING and task.waits_for
    return format_html(
        '<span class="status" data-status="{}">{}{}</span>',
        task.status,
        icon("scheduled" if waits in {WaitsFor.TIME, WaitsFor.TASK} else task.status.lower()),
        Status(task.status).label,
    )


@register.simple_tag
def badge(tone: str, symbol: str, word: Any) -> SafeString:
    """As `status`, for what is no task: a worker, an item, a queue."""
    return format_html('<span class="status" data-tone="{}">{}{}</span>', tone, icon(symbol), word)


@register.simple_tag
def ago(at: datetime | None, what: str = "") -> SafeString | str:
    """How long ago, counting on by itself; the exact time on hover, after `what` happened then."""
    if at is None:
        return ""
    title = f"{what} {words.exactly(at)}".strip()
    return format_html('<time datetime="{}" title="{}" data-ago>{}</time>', at.isoformat(), title, words.ago(at))


@register.simple_tag
def at(moment: datetime | None, style: str = "H:i:s") -> SafeString | str:
    """A time of day, with its date where it is not today's."""
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    today = local.date() == timezone.localdate()
    shown = formats.date_format(local, style if today else f"j M Y, {style}")
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), words.exactly(moment), shown)


@register.filter
def since(start: datetime | None, end: datetime | None = None) -> float | None:
    """Seconds from one time to another, or to now; never negative."""
    if start is None:
        return None
    return max(0.0, ((end or timezone.now()) - start).total_seconds())
