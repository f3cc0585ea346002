"""Acts on many tasks at once: those ticked, or, as a second step, all that match the filter."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from tasks.bulk import ACTS, LIMIT, act
from tasks.exports import csv_response
from tasks.models import Task
from tasks.patience import TookTooLong, patience
from tasks.web import words
from tasks.web.acts import person
from tasks.web.hub import forget_counts
from tasks.web.listing import Listing, as_id


@dataclass
class Choice:
    """Which tasks an act is for. `newest` keeps out what came after the person looked."""

    listing: Listing
    ids: list[uuid.UUID] = field(default_factory=list)
    newest: uuid.UUID | None = None

    @property
    def is_all(self) -> bool:
        return self.newest is not None

    def tasks(self, among: QuerySet[Task]) -> QuerySet[Task]:
        if self.newest is None:
            return among.filter(pk__in=self.ids[:LIMIT])
        return among.filter(pk__in=self.matching.values("pk"))

    @property
    def matching(self) -> QuerySet[Task]:
        return self.listing.matching.filter(id__lte=self.newest)


def chosen(request: HttpRequest) -> Choice:
    ids = [key for text in request.POST.getlist("id") if (key := as_id(text))]
    return Choice(Listing(request), ids, as_id(request.POST.get("all")))


@require_POST
def bulk(request: HttpRequest) -> HttpResponseBase:
    """Ask on a page of its own before anything is done to all that match, or deleted; then do it."""
    choice, action = chosen(request), request.POST.get("action", "")
    if action == "export":
        return export_csv(choice.tasks(choice.listing.visible))
    back = f"{reverse('tasks:list')}?{choice.listing.here}"
    if action not in ACTS or not (choice.ids or choice.is_all):
        messages.warning(request, _("Tick some tasks first."))
        return HttpResponseRedirect(back)
    tasks = choice.tasks(Task.objects.manageable_by(request.user))
    try:
        with patience():
            count = tasks[: LIMIT + 1].count()
    except TookTooLong as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(back)
    if count > LIMIT:
        sentence = _("That are more than %(limit)s tasks, the most that one act takes. Narrow the filter.")
        messages.error(request, sentence % {"limit": words.thousands(LIMIT)})
        return HttpResponseRedirect(back)
    if "confirmed" not in request.POST and (choice.is_all or action == "delete"):
        return confirm(request, choice, action, count)
    level, sentence = outcome(action, *act(action, tasks, person(request)))
    forget_counts(request.user)
    messages.add_message(request, level, sentence)
    return HttpResponseRedirect(back)


def confirm(request: HttpRequest, choice: Choice, action: str, count: int) -> HttpResponse:
    questions = {
        "cancel": ngettext("Cancel %(count)s task?", "Cancel %(count)s tasks?", count),
        "retry": ngettext("Retry %(count)s task?", "Retry %(count)s tasks?", count),
        "delete": ngettext("Delete %(count)s task?", "Delete %(count)s tasks?", count),
    }
    context = {
        "choice": choice,
        "action": action,
        "question": questions[action] % {"count": words.thousands(count)},
        "back": f"{reverse('tasks:list')}?{choice.listing.here}",
    }
    return render(request, "tasks/confirm.html", context)


def outcome(action: str, done: int, skipped: int) -> tuple[int, str]:
    sentences = {
        "cancel": ngettext("Cancelled %(count)s task.", "Cancelled %(count)s tasks.", done),
        "retry": ngettext("Retried %(count)s task.", "Retried %(count)s tasks.", done),
        "delete": ngettext("Deleted %(count)s task.", "Deleted %(count)s tasks.", done),
    }
    sentence = sentences[action] % {"count": words.thousands(done)}
    if skipped:
        passed = ngettext(
            "%(count)s was passed over: its state does not allow it.",
            "%(count)s were passed over: their state does not allow it.",
            skipped,
        )
        sentence += " " + passed % {"count": words.thousands(skipped)}
    return messages.SUCCESS if done else messages.WARNING, sentence


# --- export


@require_safe
def export(request: HttpRequest) -> StreamingHttpResponse:
    """All tasks that match the filter, up to the limit, as CSV."""
    return export_csv(Listing(request).matching)


def export_csv(tasks: QuerySet[Task]) -> StreamingHttpResponse:
    columns = [
        "id", "task_type", "name", "status", "queue", "priority", "owner__username", "progress", "progress_message",
        "error_message", "created_at", "started_at", "completed_at", "attempts",
    ]  # fmt: skip
    header = [column.removesuffix("__username") for column in columns]
    within = tasks if tasks.query.is_sliced else tasks[:LIMIT]
    return csv_response("tasks.csv", header, within.values_list(*columns).iterator(chunk_size=2000))
