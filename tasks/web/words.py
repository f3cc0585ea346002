"""How the pages put times, durations and counts into words."""

from __future__ import annotations

from datetime import datetime
from math import floor

from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

MINUTE, HOUR, DAY = 60, 3600, 86_400


def duration(seconds: float | None) -> str:
    """ "20 ms", "0.4 s", "8.3 s", "31 s", "1 min 12 s", "2 h 6 min", "3 d 2 h". Never negative; nothing for None."""
    if seconds is None:
        return ""
    seconds = max(0.0, float(seconds))
    if 0.001 <= seconds < 0.1:
        return _("%(count)s ms") % {"count": floor(seconds * 1000)}
    if seconds < 10:
        tenths = floor(seconds * 10 + 1e-9)
        return _("%(count)s s") % {"count": formats.number_format(tenths / 10, 1 if tenths % 10 else 0)}
    if seconds < MINUTE:
        return _("%(count)s s") % {"count": floor(seconds)}
    if seconds < HOUR:
        return _two(seconds, MINUTE, 1, _("%(count)s min"), _("%(count)s s"))
    if seconds < DAY:
        return _two(seconds, HOUR, MINUTE, _("%(count)s h"), _("%(count)s min"))
    return _two(seconds, DAY, HOUR, _("%(count)s d"), _("%(count)s h"))


def _two(seconds: float, large: int, small: int, large_word: str, small_word: str) -> str:
    whole, rest = divmod(int(seconds), large)
    words = [large_word % {"count": whole}]
    if rest // small:
        words.append(small_word % {"count": rest // small})
    return " ".join(words)


def clock(seconds: float | None) -> str:
    """ "01:12", or "1:02:03" from an hour on: a duration that may tick."""
    if seconds is None:
        return ""
    minutes, second = divmod(max(0, floor(seconds)), MINUTE)
    hours, minute = divmod(minutes, MINUTE)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute:02}:{second:02}"


def largest_unit(seconds: float) -> str:
    """ "6 s", "4 min", "2 h", "3 d": one unit, for how long ago something was. `taskhub.js` counts on alike."""
    seconds = max(0, floor(seconds))
    if seconds < MINUTE:
        return _("%(count)s s") % {"count": seconds}
    if seconds < HOUR:
        return _("%(count)s min") % {"count": seconds // MINUTE}
    if seconds < 2 * DAY:
        return _("%(count)s h") % {"count": seconds // HOUR}
    return _("%(count)s d") % {"count": seconds // DAY}


def ago(at: datetime, now: datetime | None = None) -> str:
    """ "6 s ago", or "in 2 h" for what is to come."""
    seconds = ((now or timezone.now()) - at).total_seconds()
    if seconds < 0:
        return _("in %(time)s") % {"time": largest_unit(-seconds)}
    return _("%(time)s ago") % {"time": largest_unit(seconds)}


def exactly(at: datetime) -> str:
    """ "24 Nov 2026, 15:54:12 CET"."""
    local = timezone.localtime(at)
    return f"{formats.date_format(local, 'j M Y, H:i:s')} {local.tzname()}"


def capped(count: int, cap: int) -> str:
    """ "1,284", or "10,000+" for more than was counted."""
    return f"{formats.number_format(cap, use_l10n=True, force_grouping=True)}+" if count > cap else thousands(count)


def thousands(count: float) -> str:
    count = int(count) if count == int(count) else count
    return formats.number_format(count, use_l10n=True, force_grouping=True)


def tasks(count: int) -> str:
    return ngettext("%(count)s task", "%(count)s tasks", count) % {"count": thousands(count)}
