"""Which tasks: one FilterSet for the API and the pages, and the language of its search box."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import django_filters
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tasks import registry
from tasks.models import Status, Task, TaskFile

# A text search looks at this many tasks, newest first; the next page looks further.
REACH = 100_000

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
ORDERS = [("newest", gettext_lazy("Newest first")), ("oldest", gettext_lazy("Oldest first"))]


class NotUnderstood(ValueError):
    """A value that a filter cannot use, as a sentence."""


def moment(text: str) -> datetime:
    """A point in time: "2d" is two days ago, "2026-11-24" or a full ISO time is that. Raises NotUnderstood."""
    if ago := re.fullmatch(r"(\d{1,5})([mhdw])", text):
        return timezone.now() - timedelta(**{UNITS[ago[2]]: int(ago[1])})
    try:
        day = parse_date(text)
        found = datetime(day.year, day.month, day.day) if day else parse_datetime(text)  # noqa: DTZ001 - see below
        if found:
            return (timezone.make_aware(found) if timezone.is_naive(found) else found).astimezone(UTC)
    except (ValueError, OverflowError):  # OverflowError: in UTC it lies before the year 1 or after 9999
        pass
    raise NotUnderstood(_("“%(text)s” is no time: write 30m, 12h, 2d, 1w or 2026-11-24.") % {"text": text})


def first_id_at(at: datetime) -> uuid.UUID:
    """The smallest id a task made at this moment may have: ids begin with their time in milliseconds."""
    milliseconds = max(0, int(at.astimezone(UTC).timestamp() * 1000))
    return uuid.UUID(int=min(milliseconds, 2**48 - 1) << 80)


# --- the search box


@dataclass
class Search:
    """What was typed, taken apart: `status:failed "some text"` has one qualifier and one text."""

    qualifiers: list[tuple[str, str]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


WORD = re.compile(r'(?:(?P<key>[A-Za-z]+):)?(?:"(?P<quoted>[^"]*)"|(?P<plain>\S+))')


def parse(text: str) -> Search:
    search = Search()
    for word in WORD.finditer(text.replace("\x00", "")):
        key, value = word["key"], word["plain"] if word["quoted"] is None else word["quoted"]
        if key and key.lower() in QUALIFIERS:
            search.qualifiers.append((key.lower(), value))
        elif value:
            search.texts.append(word[0] if key else value)
    return search


def unknown_qualifiers(text: str) -> Iterator[str]:
    """Words that look like a qualifier but are none: searched as text, and worth a hint."""
    for word in parse(text).texts:
        if match := re.match(r"([A-Za-z]+):", word):
            yield match[1]


def by_status(value: str, user: Any) -> Q:
    if value.upper() not in Status.values:
        known = ", ".join(Status.values).lower()
        raise NotUnderstood(_("There is no status “%(value)s”. Known: %(known)s.") % {"value": value, "known": known})
    return Q(status=value.upper())


def by_type(value: str, user: Any) -> Q:
    """`type:image` finds every type with "image" in its name."""
    names = [kind.name for kind in registry.all_types() if value.lower() in kind.name.lower()]
    if not names:
        raise NotUnderstood(_("There is no task type “%(value)s”.") % {"value": value})
    return Q(task_type__in=names)


def by_owner(value: str, user: Any) -> Q:
    if value.lower() == "me" and user:
        return Q(owner_id=user.pk)
    # Looked up first: with a join, a planner may walk all tasks to find those of one person.
    return Q(owner_id=User.objects.filter(username=value).values_list("pk", flat=True).first() or 0)


def by_worker(value: str, user: Any) -> Q:
    return Q(worker=int(value)) if value.isdecimal() and len(value) < 10 else Q(cluster__hostname=value)


def by_id(value: str, user: Any) -> Q:
    # Ids as they are shown are tails; a whole one is looked up by its key.
    tail = value.lstrip("#").lower()
    try:
        return Q(pk=uuid.UUID(tail))
    except ValueError:
        return Q(id__iendswith=tail)


QUALIFIERS: dict[str, Callable[[str, Any], Q]] = {
    "status": by_status,
    "type": by_type,
    "queue": lambda value, user: Q(queue=value),
    "owner": by_owner,
    "worker": by_worker,
    "id": by_id,
    "error": lambda value, user: Q(error_message__icontains=value),
    "before": lambda value, user: Q(id__lt=first_id_at(moment(value))),
    "after": lambda value, user: Q(id__gte=first_id_at(moment(value))),
}
# Qualifiers that no index serves: they are searched like text, within the reach.
SCANNED = {"error", "worker", "id", "queue"}


def whole_id(search: Search, tasks: QuerySet[Task]) -> uuid.UUID | None:
    """The task that was asked for by its whole id and nothing else, however old it is."""
    texts = [*search.texts, *(text for key, text in search.qualifiers if key == "id")]
    if len(texts) != 1 or len(search.texts) + len(search.qualifiers) != 1:
        return None
    try:
        return tasks.order_by().values_list("pk", flat=True).filter(pk=uuid.UUID(texts[0].lstrip("#"))).first()
    except ValueError:
        return None


def by_text(text: str, since: uuid.UUID | None) -> Q:
    """Text in the name, the error, a file's name or the id's tail."""
    files = TaskFile.objects.filter(name__icontains=text)
    if since:
        files = files.filter(task_id__gte=since)
    found = Q(name__icontains=text) | Q(error_message__icontains=text) | Q(id__in=files.values("task_id"))
    if re.fullmatch(r"#?[0-9a-fA-F-]{4,36}", text):
        found |= by_id(text, None)
    return found


# --- the FilterSet


def task_types() -> list[tuple[str, str]]:
    return [(kind.name, str(kind.label)) for kind in registry.all_types()]


class TaskFilter(django_filters.FilterSet):
    """Tasks by status, type, queue, owner, age and search. Apply it to tasks that are visible, cursor and all.

    After `.qs`, `hints` are sentences about what was not understood (`not_understood` has the wrong ones by field), and
    `reached` is the id a text search ended at.
    """

    status = django_filters.ChoiceFilter(choices=Status.choices)
    task_type = django_filters.ChoiceFilter(choices=task_types)
    queue = django_filters.CharFilter(method="filter_queue", max_length=40)
    owner = django_filters.CharFilter(method="filter_owner", max_length=150)
    since = django_filters.CharFilter(method="filter_since", max_length=40)
    order = django_filters.ChoiceFilter(choices=ORDERS, method="filter_order")
    q = django_filters.CharFilter(method="filter_q", max_length=200)

    class Meta:
        model = Task
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.hints: list[str] = []
        self.not_understood: dict[str, list[str]] = {}
        self.reached: uuid.UUID | None = None

    @property
    def user(self) -> Any:
        user = getattr(self.request, "user", None)
        return user if user is not None and user.is_authenticated else None

    def filter_owner(self, tasks: QuerySet[Task], name: str, value: str) -> QuerySet[Task]:
        return tasks.filter(by_owner(value, self.user))

    def filter_since(self, tasks: QuerySet[Task], name: str, value: str) -> QuerySet[Task]:
        return self._try(tasks, name, QUALIFIERS["after"], value)

    def filter_queue(self, tasks: QuerySet[Task], name: str, value: str) -> QuerySet[Task]:
        return self._within_reach(tasks).filter(queue=value)

    def filter_order(self, tasks: QuerySet[Task], name: str, value: str) -> QuerySet[Task]:
        return tasks.order_by("id" if value == "oldest" else "-id")

    def filter_q(self, tasks: QuerySet[Task], name: str, value: str) -> QuerySet[Task]:
        search = parse(value)
        if known := whole_id(search, tasks):
            return tasks.filter(pk=known)
        self.hints += [
            _("“%(word)s:” is no qualifier; it is searched as text. Known: %(known)s.")
            % {"word": word, "known": ", ".join(QUALIFIERS)}
            for word in unknown_qualifiers(value)
        ]
        if search.texts or any(key in SCANNED for key, _value in search.qualifiers):
            tasks = self._within_reach(tasks)
        for key, text in search.qualifiers:
            tasks = self._try(tasks, name, QUALIFIERS[key], text)
        for text in search.texts:
            tasks = tasks.filter(by_text(text, self.reached if not self._upwards else None))
        return tasks

    @property
    def _upwards(self) -> bool:
        return self.form.cleaned_data.get("order") == "oldest"

    def _within_reach(self, tasks: QuerySet[Task]) -> QuerySet[Task]:
        """No index serves a text: a bounded look keeps the answer fast however many tasks there are."""
        if self.reached:
            return tasks
        ordered = tasks.order_by("id" if self._upwards else "-id")
        self.reached = ordered.values_list("id", flat=True)[REACH - 1 : REACH].first()
        if self.reached is None:
            return tasks
        return tasks.filter(id__lte=self.reached) if self._upwards else tasks.filter(id__gte=self.reached)

    def _try(self, tasks: QuerySet[Task], name: str, qualifier: Callable[[str, Any], Q], value: str) -> QuerySet[Task]:
        try:
            return tasks.filter(qualifier(value, self.user))
        except NotUnderstood as error:
            self.hints.append(str(error))
            self.not_understood.setdefault(name, []).append(str(error))
            return tasks.none()
