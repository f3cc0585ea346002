"""What every page shows around its content: theme, live updates, banners."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _

from tasks.handlers.mail.delivery import keeper
from tasks.web.hub import counts_for, hub_state

THEMES = ("auto", "light", "dark")
EVERY = ("2", "5", "15", "0")  # seconds between updates; 0: off
SETUPS = ("local", "mail", "local-mail")  # what may be known of the setting-up
COOKIE_AGE = 365 * 86_400


class Shell:
    """Read by `base.html`. Everything is asked for late: a fragment that shows none of it pays for none."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def _choice(self, cookie: str, choices: tuple[str, ...]) -> str:
        value = self.request.COOKIES.get(cookie, "")
        return value if value in choices else choices[0]

    @property
    def theme(self) -> str:
        return self._choice("theme", THEMES)

    @property
    def every(self) -> str:
        return self._choice("every", EVERY)

    @property
    def shortcuts(self) -> str:
        return self._choice("shortcuts", ("on", "off"))

    @property
    def themes(self) -> list[tuple[str, str]]:
        return [("auto", _("Auto")), ("light", _("Light")), ("dark", _("Dark"))]

    @property
    def pauses(self) -> list[tuple[str, str]]:
        return [(every, _("Off") if every == "0" else _("%(count)s s") % {"count": every}) for every in EVERY]

    @property
    def languages(self) -> list[tuple[str, str]]:
        return list(settings.LANGUAGES)

    @cached_property
    def work_waits_for_a_worker(self) -> bool:
        user = getattr(self.request, "user", None)
        if user is None or not user.is_authenticated:
            return False
        return not hub_state().has_worker and counts_for(user).unfinished > 0

    @property
    def has_worker(self) -> bool:
        return hub_state().has_worker

    @property
    def time_zone(self) -> str:
        return settings.TIME_ZONE

    @property
    def is_local(self) -> bool:
        return settings.ACCESS == "local"

    @property
    def setup(self) -> str:
        """What those who run this hub should know of its setting-up, as a key: "local", "mail", both or nothing."""
        user = getattr(self.request, "user", None)
        if user is None or not user.is_staff:
            return ""
        facts = "-".join(["local"] * self.is_local + ["mail"] * bool(keeper()))
        return "" if self.request.COOKIES.get("setup") == facts else facts

    @property
    def words(self) -> str:
        """The words `taskhub.js` needs, as JSON for a meta tag: there is no inline script to hold them."""
        return json.dumps(
            {
                "s": _("%(count)s s"),
                "min": _("%(count)s min"),
                "h": _("%(count)s h"),
                "d": _("%(count)s d"),
                "ago": _("%(time)s ago"),
                "in": _("in %(time)s"),
                "live": _("Live · %(every)s s"),
                "paused": _("Paused"),
                "reconnecting": _("Updates stopped, trying again in %(count)s s"),
                "retryNow": _("Try now"),
                "signedOut": _("You are signed out."),
                "signIn": _("Sign in"),
                "newOne": _("1 new task: show"),
                "newMany": _("%(count)s new tasks: show"),
                "selectedOne": _("1 selected"),
                "selectedMany": _("%(count)s selected"),
                "uploading": _("Uploading"),
                "uploaded": _("Uploaded, being checked"),
                "of": _("%(done)s of %(total)s MB · %(percent)s %%").replace("%%", "%"),
                "uploadCancelled": _("The upload was cancelled."),
                "copied": _("Copied"),
                "notCopied": _("Could not be copied"),
                "remove": _("Remove %(name)s"),
                "tooLarge": _("%(name)s is larger than %(limit)s."),
                "wrongEnding": _("%(name)s is not of a type this takes."),
                "failed": _("That did not work. Try again."),
                "matches": _("%(count)s lines match"),
            }
        )


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `shell` in every template."""
    return {"shell": Shell(request)}
