"""The statistics page, made of roll-ups."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from tasks.exports import csv_response
from tasks.filters import task_types
from tasks.models import Status, Task
from tasks.stats import RANGES, Answer, Bucket, answer
from tasks.web import charts, words
from tasks.web.charts import Chart, Line
from tasks.web.hub import CAP, kept
from tasks.web.rows import kind_label
from tasks.web.workers import WorkersPage

KEPT = 10  # seconds: statistics are worth so long, and asked for every 15


class StatsPage:
    """State lives in the query string: `range` and `kind`."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.range = request.GET.get("range", "") if request.GET.get("range") in RANGES else "24h"
        self.kind = request.GET.get("kind", "")[:64]

    @cached_property
    def answer(self) -> Answer:
        user = self.request.user
        owner = None if user.has_perm("tasks.view_all_tasks") else user.pk
        key = f"stats:{self.range}:{owner}:{hashlib.blake2s(self.kind.encode()).hexdigest()}"
        return kept(key, lambda: answer(self.range, owner=owner, task_type=self.kind), KEPT)

    @property
    def total(self) -> Bucket:
        return self.answer.total

    @property
    def before(self) -> Bucket:
        return self.answer.before

    @property
    def ranges(self) -> list[tuple[str, str]]:
        return [("1h", _("1 h")), ("24h", _("24 h")), ("7d", _("7 d")), ("30d", _("30 d"))]

    @property
    def kinds(self) -> list[tuple[str, str]]:
        return task_types()

    @property
    def before_words(self) -> str:
        return {
            "1h": _("the hour before"), "24h": _("the day before"), "7d": _("the week before"),
            "30d": _("the month before"),
        }[self.range]  # fmt: skip

    @cached_property
    def workers(self) -> WorkersPage:
        return WorkersPage(self.request)

    @cached_property
    def running(self) -> str:
        running = Task.objects.visible_to(self.request.user).filter(status=Status.RUNNING).order_by()
        return words.capped(running[: CAP + 1].count(), CAP)

    # --- charts

    def label(self, start: datetime | None) -> str:
        assert start
        local = timezone.localtime(start)
        style = {"1h": "H:i", "24h": "H:i", "7d": "j M H:i", "30d": "j M"}[self.range]
        return formats.date_format(start if self.range == "30d" else local, style)

    @cached_property
    def labels(self) -> list[str]:
        return [self.label(bucket.start) for bucket in self.answer.buckets]

    @property
    def axis_x(self) -> list[str]:
        end = self.answer.start + self.answer.range.length
        return charts.spread([*self.labels, self.label(end)])

    @property
    def charts(self) -> list[Chart]:
        return [self.finished, self.duration, self.wait]

    @cached_property
    def finished(self) -> Chart:
        titles = {
            "1h": _("Finished per 2 minutes"), "24h": _("Finished per hour"), "7d": _("Finished per 6 hours"),
            "30d": _("Finished per day"),
        }  # fmt: skip
        buckets, total = self.answer.buckets, self.total
        top = charts.top_of_axis(max((bucket.finished for bucket in buckets), default=0))
        columns = [
            [
                (Status.SUCCESS, b.succeeded, _("%(time)s: %(count)s succeeded") % {"time": label, "count": b.succeeded}),
                (Status.FAILED, b.failed, _("%(time)s: %(count)s failed") % {"time": label, "count": b.failed}),
                (Status.CANCELLED, b.cancelled, _("%(time)s: %(count)s cancelled") % {"time": label, "count": b.cancelled}),
            ]
            for label, b in zip(self.labels, buckets, strict=True)
        ]  # fmt: skip
        sums = {Status.SUCCESS: total.succeeded, Status.FAILED: total.failed, Status.CANCELLED: total.cancelled}
        return Chart(
            id="finished",
            title=titles[self.range],
            description=self._describe_finished(),
            rects=charts.bars(columns, top),
            axis_y=charts.ticks(top, words.thousands),
            axis_x=self.axis_x,
            legend=[(s.value, "", f"{s.label} {words.thousands(count)}") for s, count in sums.items()],
            head=[_("Time"), Status.SUCCESS.label, Status.FAILED.label, Status.CANCELLED.label],
            table=[
                [label, *map(words.thousands, (b.succeeded, b.failed, b.cancelled))]
                for label, b in zip(self.labels, buckets, strict=True)
            ],
            is_empty=not total.finished,
        )

    def _describe_finished(self) -> str:
        if not self.total.finished:
            return _("No task finished in this range.")
        busiest = max(self.answer.buckets, key=lambda bucket: bucket.finished)
        return _("%(good)s of %(all)s tasks succeeded. Most finished at %(time)s: %(most)s.") % {
            "good": words.thousands(self.total.succeeded),
            "all": words.thousands(self.total.finished),
            "time": self.label(busiest.start),
            "most": words.thousands(busiest.finished),
        }

    @cached_property
    def duration(self) -> Chart:
        half = _("Half are faster than %(time)s") % {"time": words.duration(self.total.p50) or "…"}
        most = _("95 %% are faster than %(time)s") % {"time": words.duration(self.total.p95) or "…"}
        return self._times("duration", _("Duration"), [("p50", "", half), ("p95", "p95", most)])

    @cached_property
    def wait(self) -> Chart:
        most = _("95 %% wait less than %(time)s") % {"time": words.duration(self.total.wait_p95) or "…"}
        half = _("Half wait less than %(time)s") % {"time": words.duration(self.total.wait_p50) or "…"}
        return self._times("wait", _("Waiting time"), [("wait_p50", "", half), ("wait_p95", "p95", most)])

    def _times(self, name: str, title: str, lines: Sequence[tuple[str, str, str]]) -> Chart:
        values = [[getattr(bucket, attribute) for bucket in self.answer.buckets] for attribute, _css, _words in lines]
        top = charts.top_of_time(max((value or 0 for line in values for value in line), default=0))
        return Chart(
            id=name,
            title=title,
            description=". ".join(words_ for _attribute, _css, words_ in lines) + ".",
            lines=[Line(charts.path(line, top), css) for line, (_a, css, _w) in zip(values, lines, strict=True)],
            area=charts.area(values[0], top),
            axis_y=charts.ticks(top, lambda value: words.duration(value) if value else "0"),
            axis_x=self.axis_x,
            legend=[("", css or "p50", words_) for _attribute, css, words_ in lines],
            head=[_("Time"), "p50", "p95"],
            table=[[label, *map(words.duration, row)] for label, *row in zip(self.labels, *values, strict=True)],
            is_empty=not self.total.durations,
        )

    # --- tables

    @property
    def by_kind(self) -> list[tuple[str, str, Bucket]]:
        return [(kind, kind_label(kind), bucket) for kind, bucket in self.answer.kinds]

    @property
    def errors(self) -> list[tuple[str, str, int, datetime]]:
        """Fingerprint, the list it leads to, how often, when last."""
        return [(known or "…", self._list_of(known), count, last) for known, count, last in self.answer.errors]

    def _list_of(self, known: str) -> str:
        # The list searches for the longest piece that all such errors have in common.
        piece = max(known.replace('"', "…").split("…"), key=len).strip()
        query = {"status": Status.FAILED.value} | ({"q": f'error:"{piece}"'} if piece else {})
        return urlencode(query | ({"task_type": self.kind} if self.kind else {}))

    @property
    def slowest(self) -> list[tuple[Task, str, float]]:
        found = self.answer.slowest
        ids = [uuid.UUID(key) for _seconds, key in found]
        tasks = Task.objects.visible_to(self.request.user).only("id", "name", "task_type").in_bulk(ids)
        rows = [(tasks.get(key), seconds) for key, (seconds, _key) in zip(ids, found, strict=True)]
        return [(task, kind_label(task.task_type), seconds) for task, seconds in rows if task]


@require_safe
@never_cache
def stats(request: HttpRequest) -> HttpResponseBase:
    page = StatsPage(request)
    wanted = request.GET.get("csv", "")
    for chart in page.charts if wanted else []:
        if chart.id == wanted:
            return csv_response(f"{chart.id}-{page.range}.csv", map(str, chart.head), chart.table)
    return render(request, "tasks/stats.html", {"page": page})


@require_safe
@never_cache
def stats_live(request: HttpRequest) -> HttpResponse:
    return render(request, "tasks/_stats.html", {"page": StatsPage(request)})
