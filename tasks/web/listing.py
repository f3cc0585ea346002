"""One page of the task list: filter, cursor, rows, and the version that tells whether it changed."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _

from tasks.filters import REACH, TaskFilter, parse
from tasks.models import Status, Task, TaskAttempt
from tasks.patience import TookTooLong, patience
from tasks.web import words
from tasks.web.default_view import EVERYTHING, default_view, view_of
from tasks.web.hub import CAP, Counts, Hub, counts_for, hub_state
from tasks.web.rows import TaskRow, for_rows, kind_label, rows, signature

SIZES = (25, 50, 100)
PERIODS = ("24h", "7d", "30d")
FILTERS = ("q", "status", "task_type", "queue", "owner", "since")


def as_id(text: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(text or "")
    except ValueError:
        return None


@dataclass
class Chip:
    """An active filter and the query string without it."""

    name: str
    value: str
    without: str


class Listing:
    """The rows a request asks for. State lives in the query string alone.

    Pages are found by the id at their edge (`before`, `after`), so that page 1,000 costs the same as page 1.
    """

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.query: QueryDict = request.GET
        self.user = request.user
        self.hub: Hub = hub_state()
        self.counts: Counts = counts_for(request.user)
        self.gave_up = False  # the database was still looking; known once the rows have been asked for

    @cached_property
    def size(self) -> int:
        size = self.query.get("size", "")
        return int(size) if size in map(str, SIZES) else SIZES[0]

    @cached_property
    def before(self) -> uuid.UUID | None:
        return as_id(self.query.get("before"))

    @cached_property
    def after(self) -> uuid.UUID | None:
        return None if self.before else as_id(self.query.get("after"))

    @property
    def upwards(self) -> bool:
        """Whether the list begins with the oldest."""
        return self.query.get("order") == "oldest"

    @property
    def is_first_page(self) -> bool:
        return self.before is None and self.after is None

    @cached_property
    def visible(self) -> QuerySet[Task]:
        return Task.objects.visible_to(self.user)

    @cached_property
    def filter(self) -> TaskFilter:
        tasks = self.visible.order_by("id" if self.upwards else "-id")
        if self.before:
            tasks = tasks.filter(id__lt=self.before) if not self.upwards else tasks.filter(id__gt=self.before)
        if self.after:
            tasks = tasks.filter(id__gt=self.after) if not self.upwards else tasks.filter(id__lt=self.after)
        return TaskFilter(self.query, tasks, request=self.request)

    @cached_property
    def found(self) -> QuerySet[Task]:
        """What the filter lets through, from the cursor on."""
        return self.filter.qs

    @property
    def matching(self) -> QuerySet[Task]:
        """All that the filter lets through, from the first page to the last."""
        return TaskFilter(self.query, self.visible.order_by("-id"), request=self.request).qs

    @cached_property
    def _edge(self) -> list[tuple[uuid.UUID, int, str]]:
        """Id, version and queue of the rows to be shown and of one beyond: the narrow query of a quiet poll."""
        tasks = self.found
        if self.after:
            tasks = tasks.reverse()
        narrow = tasks.values_list("id", "version", "queue")[: self.size + 1]
        try:
            # Without a filter, the primary key alone gives the page.
            with patience() if self.is_filtered else nullcontext():
                return list(narrow)
        except TookTooLong:
            self.gave_up = True
            return []

    @cached_property
    def shown(self) -> list[tuple[uuid.UUID, int, str]]:
        narrow = self._edge[: self.size]
        return narrow[::-1] if self.after else narrow

    @cached_property
    def has_older(self) -> bool:
        return bool(self.after) or len(self._edge) > self.size

    @cached_property
    def has_newer(self) -> bool:
        return bool(self.before) or (bool(self.after) and len(self._edge) > self.size)

    @cached_property
    def version(self) -> str:
        """Differs when anything on the page differs. No time and no sequence in it: a late commit would be missed."""
        paused = self.hub.paused_queues
        shown = [(str(key), signature(version, queue in paused)) for key, version, queue in self.shown]
        state = repr((shown, self.gave_up, self.has_older, self.counts, self.hub.has_worker))
        return hashlib.blake2s(state.encode(), digest_size=8).hexdigest()

    @cached_property
    def rows(self) -> list[TaskRow]:
        found = for_rows(self.visible).in_bulk([key for key, _version, _queue in self.shown])
        return rows((found[key] for key, _version, _queue in self.shown if key in found), self.hub)

    @cached_property
    def newest(self) -> uuid.UUID | None:
        """The greatest id there is now: "all that match" means those up to it."""
        return self.visible.order_by("-id").values_list("id", flat=True).first()

    # --- links

    def link(self, **changes: str | None) -> str:
        """The query string with these values, from the first page on."""
        query = self.query.copy()
        for name in ("before", "after", "v"):
            query.pop(name, None)
        for name, value in changes.items():
            if value:
                query[name] = value
            else:
                query.pop(name, None)
        # With a default view, a bare address would lead there.
        return f"?{query.urlencode() or (EVERYTHING if self.default_view else '')}"

    @property
    def here(self) -> str:
        """The query string of this very page, without what a poll adds."""
        query = self.query.copy()
        query.pop("v", None)
        return query.urlencode()

    @property
    def everything(self) -> str:
        return f"?{EVERYTHING}" if self.default_view else ""

    @property
    def older(self) -> str:
        return self.link(before=str(self.shown[-1][0])) if self.shown and self.has_older else ""

    @property
    def newer(self) -> str:
        if not self.has_newer:
            return ""
        return self.link(after=str(self.shown[0][0])) if self.shown else self.link()

    @property
    def further(self) -> str:
        """Where a text search goes on that has looked at as many tasks as it may in one go."""
        if self.filter.reached is None or self.has_older or self.gave_up:
            return ""
        return self.link(before=str(self.filter.reached))

    # --- the view to begin with

    @cached_property
    def view(self) -> str:
        return view_of(self.query)

    @cached_property
    def default_view(self) -> str:
        return default_view(self.request)

    # --- words

    reach = REACH

    @property
    def title(self) -> str:
        """Of the window: it tells of failures while one looks at something else."""
        title = f"{_('Tasks')} - TaskHub"
        if not self.counts.failed:
            return title
        failed = _("%(count)s failed") % {"count": words.capped(self.counts.failed, CAP)}
        return f"({failed}) {title}"

    @property
    def extent(self) -> str:
        """How much of all this page shows."""
        shown = len(self.shown)
        if not self.is_first_page:
            return words.tasks(shown)
        if not self.has_older:
            return _("All %(tasks)s") % {"tasks": words.tasks(shown)} if shown > 1 else words.tasks(shown)
        first = _("The oldest %(count)s") if self.upwards else _("The newest %(count)s")
        first = first % {"count": shown}
        return _("%(first)s of %(total)s") % {"first": first, "total": self.total} if self.total else first

    @property
    def total(self) -> str:
        """How many match, where the counts of the tabs tell."""
        if any(self.query.get(name) for name in FILTERS if name != "status"):
            return ""
        total = self.counts.by_status.get(self.query.get("status", ""), self.counts.total)
        return words.capped(total, CAP)

    @property
    def all_words(self) -> str:
        return _("All %(total)s that match") % {"total": self.total} if self.total else _("All that match")

    @cached_property
    def chips(self) -> list[Chip]:
        names: dict[str, tuple[str, Callable[[str], str]]] = {
            "task_type": (_("Kind"), kind_label),
            "queue": (_("Queue"), str),
            "owner": (_("Owner"), str),
            "since": (_("Period"), period_label),
        }
        chips = [
            Chip(title, words_of(value), self.link(**{name: None}))
            for name, (title, words_of) in names.items()
            if (value := self.query.get(name, ""))
        ]
        typed = self.query.get("q", "")
        search = parse(typed)
        for key, value in search.qualifiers:
            chips.append(Chip(qualifier_label(key), value, self.link(q=self._without(typed, key, value))))
        for text in search.texts:
            chips.append(Chip(_("Text"), text, self.link(q=self._without(typed, "", text))))
        return chips

    @staticmethod
    def _without(typed: str, key: str, value: str) -> str:
        search = parse(typed)
        kept = [f"{k}:{_quoted(v)}" for k, v in search.qualifiers if (k, v) != (key, value)]
        kept += [_quoted(text) for text in search.texts if key or text != value]
        return " ".join(kept)

    @property
    def is_filtered(self) -> bool:
        return any(self.query.get(name) for name in FILTERS)

    @property
    def asks_for_failed_alone(self) -> bool:
        given = {name: value for name in FILTERS if (value := self.query.get(name))}
        return self.is_first_page and given == {"status": Status.FAILED}

    @cached_property
    def failed_tries(self) -> list[TaskAttempt] | None:
        """The last one, if any, for a tab without a failed task: what failed may have been tried again. None: unknown."""
        tries = TaskAttempt.objects.exclude(outcome=TaskAttempt.Outcome.CANCELLED)
        try:
            with patience():
                return list(tries.filter(task__in=self.visible.order_by()).select_related("task").order_by("-id")[:1])
        except TookTooLong:
            return None

    @cached_property
    def hints(self) -> list[str]:
        """What of the filter was not understood, as sentences."""
        faults = [_("The filter “%(name)s” was not understood.") % {"name": name} for name in self.filter.errors]
        _found = self.found
        return faults + self.filter.hints

    @cached_property
    def tabs(self) -> list[dict[str, Any]]:
        counts = self.counts
        current = self.query.get("status", "")
        tabs = [{"status": "", "label": _("All"), "count": counts.total, "link": self.link(status=None)}]
        for status in Status:
            count = counts.by_status[status]
            tabs.append(
                {"status": status.value, "label": status.label, "count": count, "link": self.link(status=status)}
            )
        return [tab | {"current": tab["status"] == current, "cap": CAP} for tab in tabs]


def period_label(period: str) -> str:
    """ "last 7 days", within a chip."""
    return {"24h": _("last 24 hours"), "7d": _("last 7 days"), "30d": _("last 30 days")}.get(period, period)


def qualifier_label(key: str) -> str:
    """A qualifier of the search as the other filters are named."""
    names = {
        "status": _("Status"), "type": _("Kind"), "queue": _("Queue"), "owner": _("Owner"),
        "worker": _("Worker"), "error": _("Error"), "before": _("Before"), "after": _("After"),
    }  # fmt: skip
    return names.get(key, key)


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text
