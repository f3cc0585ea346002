"""What a person does to one task from a page: cancel, retry, run again, delete."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST
from rest_framework.exceptions import ValidationError

from tasks import lifecycle
from tasks.lifecycle import TransitionRefused
from tasks.models import Task
from tasks.web.forms import flat
from tasks.web.hub import forget_counts

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def person(request: HttpRequest) -> User:
    """Who asks. Nobody comes to a page unknown: see tasks/access.py."""
    return cast("User", request.user)


def visible_task(request: HttpRequest, task_id: uuid.UUID) -> Task:
    """The task, or 404: what one may not see is answered like what is not there."""
    try:
        return lifecycle.find(task_id, Task.objects.visible_to(request.user).select_related("owner", "cluster"))
    except Task.DoesNotExist:
        raise Http404 from None


def manageable_task(request: HttpRequest, task_id: uuid.UUID) -> Task:
    try:
        return lifecycle.find(task_id, Task.objects.manageable_by(request.user))
    except Task.DoesNotExist:
        raise Http404 from None


def way_back(request: HttpRequest, otherwise: str) -> str:
    """The page a form was sent from, if it is one of ours."""
    wanted = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if wanted and ours else otherwise


def answer(
    request: HttpRequest, sentence: str, *, level: int = messages.SUCCESS, to: str = "", stay: bool = True
) -> HttpResponse:
    """Say what became of an act. A script that stays on its page gets the words, everybody else a page that shows them."""
    forget_counts(request.user)
    if getattr(request, "htmx", False) and stay:
        said = {"th:said": {"text": sentence, "tone": messages.DEFAULT_TAGS[level]}}
        return HttpResponse(status=204, headers={"HX-Trigger": json.dumps(said)})
    messages.add_message(request, level, sentence)
    if getattr(request, "htmx", False):
        return HttpResponse(status=204, headers={"HX-Redirect": to})
    return HttpResponseRedirect(way_back(request, to or reverse("tasks:list")) if stay else to)


def refused(request: HttpRequest, error: TransitionRefused) -> HttpResponse:
    words = {
        "cancel": _("It has ended already: there is nothing to cancel."),
        "retry": _("Only a failed or cancelled task can be retried."),
        "delete": _("A task can be deleted once it has ended and its worker has let go."),
    }
    return answer(
        request,
        error.why or words.get(error.move, str(error)),
        level=messages.WARNING,
        to=reverse("tasks:task", args=[error.task.pk]),
    )


@require_POST
def cancel(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    task = manageable_task(request, task_id)
    try:
        lifecycle.cancel(task, by=person(request))
    except TransitionRefused as error:
        return refused(request, error)
    return answer(request, _("Cancelled: %(task)s") % {"task": task}, to=reverse("tasks:task", args=[task.pk]))


@require_POST
def retry(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """A new task like this one; `items` names the states of its items to do again."""
    task = manageable_task(request, task_id)
    items = request.POST.get("items", "")
    try:
        new = lifecycle.retry(task, by=person(request), items=items if items in {"failed", "failed,unknown"} else "")
    except TransitionRefused as error:
        return refused(request, error)
    except ValidationError as error:
        return not_made(request, task, error)
    return made(request, new)


@require_POST
def again(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """A new task with the same parameters, whatever became of this one."""
    task = manageable_task(request, task_id)
    try:
        new = lifecycle.submit(task.task_type, task.parameters, by=person(request), **lifecycle.options_of(task))
    except ValidationError as error:
        return not_made(request, task, error)
    return made(request, new)


def made(request: HttpRequest, new: Task) -> HttpResponse:
    page = reverse("tasks:task", args=[new.pk])
    in_list = request.POST.get("next", "").startswith(reverse("tasks:list") + "?") or request.POST.get("next") == "/"
    return answer(request, _("New task: %(task)s") % {"task": new}, to=page, stay=in_list)


def not_made(request: HttpRequest, task: Task, error: ValidationError) -> HttpResponse:
    """Where the type has changed since, or a file is gone, the form is the place to correct it."""
    why = " ".join(flat(error.detail))
    if "parameters" not in error.detail:
        return answer(request, why, level=messages.WARNING, to=reverse("tasks:task", args=[task.pk]))
    messages.warning(request, _("This task's parameters are not valid any more. Correct them and start it anew."))
    form = f"{reverse('tasks:new_kind', args=[task.task_type])}?from={task.pk}"
    return answer(request, why, level=messages.WARNING, to=form, stay=False)


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """Ask first, on a page of its own; then delete."""
    task = manageable_task(request, task_id)
    if request.method != "POST":
        return render(request, "tasks/delete.html", {"task": task})
    try:
        lifecycle.delete(task, by=person(request))
    except TransitionRefused as error:
        return refused(request, error)
    forget_counts(request.user)
    messages.success(request, _("Deleted: %(task)s") % {"task": task})
    return redirect("tasks:list")
