"""A task's items: a page of them by state, and all of them as CSV."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import Count
from django.http import HttpRequest, QueryDict, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from tasks.exports import csv_response
from tasks.masking import masked
from tasks.models import Task, TaskItem
from tasks.web.acts import visible_task
from tasks.web.log import number

PAGE = 20
COLUMNS = ("key", "state", "error", "detail")
State = TaskItem.State
LOOKS = {
    State.PENDING: ("calm", "pending"),
    State.WORKING: ("live", "running"),
    State.DONE: ("good", "success"),
    State.FAILED: ("bad", "failed"),
    State.UNKNOWN: ("warn", "warning"),
}


@dataclass(frozen=True)
class ItemRow:
    item: TaskItem

    @property
    def tone(self) -> str:
        return LOOKS[State(self.item.state)][0]

    @property
    def icon(self) -> str:
        return LOOKS[State(self.item.state)][1]

    @property
    def key(self) -> str:
        return masked(self.item.key)

    @property
    def words(self) -> str:
        """Its error, or what its handler noted."""
        return self.item.error or in_words(masked(self.item.detail))


def in_words(detail: Any) -> str:
    if detail is None:
        return ""
    if isinstance(detail, dict) and plain(detail.get("answer")):
        return str(detail["answer"])  # what was answered says it all
    if isinstance(detail, dict):
        return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in detail.items() if plain(value))
    return str(detail) if plain(detail) else json.dumps(detail, ensure_ascii=False)


def plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and value != ""


class ItemPage:
    """State lives in the query string: `items` is a state, `from` the position of the first item shown."""

    def __init__(self, task: Task, query: QueryDict) -> None:
        self.task = task
        self.state = query.get("items", "") if query.get("items") in State.values else ""
        self.start = number(query.get("from"))

    @cached_property
    def counts(self) -> dict[str, int]:
        # Counted state by state, which the index serves without looking at a row.
        grouped = self.task.items.order_by().values_list("state").annotate(count=Count("pk"))
        return dict(grouped)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @cached_property
    def _found(self) -> list[TaskItem]:
        items = self.task.items.filter(position__gte=self.start).order_by("position")
        if self.state:
            items = items.filter(state=self.state)
        return list(items[: PAGE + 1])

    @property
    def rows(self) -> list[ItemRow]:
        return [ItemRow(item) for item in self._found[:PAGE]]

    @property
    def next(self) -> str:
        """The query string of the next page."""
        return self._link(self.state, self._found[PAGE].position) if len(self._found) > PAGE else ""

    @property
    def is_first_page(self) -> bool:
        return self.start == 0

    @property
    def first(self) -> str:
        return self._link(self.state)

    @property
    def tabs(self) -> list[dict[str, Any]]:
        tabs: list[dict[str, Any]] = [{"label": _("All"), "state": "", "count": self.total}]
        tabs += [
            {"label": State(state).label.capitalize(), "state": state, "count": self.counts[state]}
            for state in (State.DONE, State.FAILED, State.UNKNOWN, State.WORKING, State.PENDING)
            if self.counts.get(state)
        ]
        return [tab | {"link": self._link(tab["state"]), "current": tab["state"] == self.state} for tab in tabs]

    @property
    def failed(self) -> int:
        return self.counts.get(State.FAILED, 0)

    @property
    def unknown(self) -> int:
        return self.counts.get(State.UNKNOWN, 0)

    @staticmethod
    def _link(state: str, start: int = 0) -> str:
        query = QueryDict(mutable=True)
        if state:
            query["items"] = state
        if start:
            query["from"] = str(start)
        return f"?{query.urlencode()}"


@require_safe
def items(request: HttpRequest, task_id: uuid.UUID) -> StreamingHttpResponse:
    """Every item of a task as CSV."""
    task = visible_task(request, task_id)
    rows = task.items.order_by("position").values_list(*COLUMNS).iterator(chunk_size=2000)
    return csv_response(f"{task.short_id}-items.csv", COLUMNS, (masked(list(row)) for row in rows))
