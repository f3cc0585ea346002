"""New tasks: the choice of a kind, and each kind's form."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.cache import caches
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from tasks import lifecycle, registry
from tasks.files import Intake
from tasks.lifecycle import PRIORITIES, Submission
from tasks.models import Task, TaskFile, new_id
from tasks.registry import TaskType
from tasks.web import words
from tasks.web.acts import person
from tasks.web.forms import Form, flat
from tasks.web.hub import forget_counts
from tasks.web.listing import as_id
from tasks.web.task_list import offered

OPTION = "option-"  # a parameter may be called "name" too


class Options(serializers.Serializer[Any]):
    """What every task may be given beside its type's parameters."""

    name = serializers.CharField(
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("What the task is called in the list."),
        max_length=200,
        required=False,
    )
    run_at = serializers.DateTimeField(
        label=gettext_lazy("Start at"),
        help_text=gettext_lazy("Left empty, it starts as soon as a worker is free."),
        required=False,
    )
    queue = serializers.CharField(
        label=gettext_lazy("Queue"), help_text=gettext_lazy("The line it waits in."), default="default", max_length=40
    )
    priority = serializers.IntegerField(
        label=gettext_lazy("Priority"),
        help_text=gettext_lazy("Higher comes first."),
        default=0,
        min_value=PRIORITIES[0],
        max_value=PRIORITIES[-1],
    )
    max_attempts = serializers.IntegerField(
        label=gettext_lazy("Attempts"),
        required=False,
        min_value=1,
        max_value=100,
        help_text=gettext_lazy("How often it is tried before it counts as failed. Left empty, the kind decides."),
    )


@require_safe
@never_cache
def new(request: HttpRequest) -> HttpResponse:
    return render(request, "tasks/new.html", {"offered": offered()})


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def new_kind(request: HttpRequest, kind: str) -> HttpResponse:
    task_type = offered_type(kind)
    form, options = Form(task_type.serializer), Form(Options(), prefix=OPTION)
    if request.method != "POST":
        fill_from_former(request, task_type, form, options)
        return form_page(request, task_type, form, options)
    if "preview" in request.POST and task_type.preview:
        return preview_page(request, task_type, form, options)
    earlier = Receipt(request)
    if page := earlier.page():
        return to_page(request, page)
    try:
        task = start(request, task_type, form, options)
    except ValidationError as error:
        return refused_page(request, task_type, form, options, error)
    messages.success(request, _("Started: %(task)s") % {"task": task})
    forget_counts(request.user)
    page = reverse("tasks:task", args=[task.pk])
    earlier.keep(page)
    return to_page(request, page)


def to_page(request: HttpRequest, page: str) -> HttpResponse:
    return HttpResponse(status=204, headers={"HX-Redirect": page}) if request.htmx else redirect(page)  # type: ignore[attr-defined]


class Receipt:
    """A form's own number, so that sending it twice starts one task."""

    SECONDS = 3600

    def __init__(self, request: HttpRequest) -> None:
        number = as_id(request.POST.get("receipt"))
        self.key = f"receipt:{request.user.pk}:{number}" if number else ""

    def page(self) -> str:
        """Where the form led that was sent before with this number."""
        return (self.key and caches["shared"].get(self.key)) or ""

    def keep(self, page: str) -> None:
        if self.key:
            caches["shared"].set(self.key, page, self.SECONDS)


def offered_type(name: str) -> TaskType:
    try:
        kind = registry.get(name)
    except registry.UnknownTaskType:
        raise Http404 from None
    if kind.hidden:
        raise Http404
    return kind


def start(request: HttpRequest, kind: TaskType, form: Form, options: Form) -> Task:
    """Submit what was filled in, or the type's sample. Raises ValidationError."""
    parameters: Mapping[str, Any] = form.read(request.POST, request.FILES)
    chosen = options.read(request.POST, request.FILES)
    if "sample" in request.POST and kind.sample:
        parameters, chosen = sample_parameters(kind), {"name": _("Sample: %(kind)s") % {"kind": kind.label}}
    checked = Options(data=chosen)
    if not checked.is_valid():
        raise ValidationError(checked.errors | faults_in(kind, parameters))
    return lifecycle.submit(kind.name, parameters, by=person(request), **checked.validated_data)


def faults_in(kind: TaskType, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What is wrong with parameters, so that a person learns of every fault at once."""
    try:
        kind.validate(parameters)
    except ValidationError as error:
        return {"parameters": error.detail}
    return {}


def preview_page(request: HttpRequest, kind: TaskType, form: Form, options: Form) -> HttpResponse:
    """The form as it was filled in, and above it what its task would do."""
    parameters = form.read(request.POST, request.FILES)
    options.read(request.POST, request.FILES)
    try:
        shown = look_ahead(kind, parameters, person(request))
    except ValidationError as error:
        return refused_page(request, kind, form, options, error)
    keep_chosen_files(request, kind, form)
    return form_page(request, kind, form, options, preview=shown)


def look_ahead(kind: TaskType, parameters: Mapping[str, Any], by: User | None) -> Mapping[str, Any]:
    """The type's preview of these parameters; no task and no file stays. Raises ValidationError."""
    assert kind.preview
    intake = Intake(new_id(), by)
    try:
        return kind.preview(intake.take(kind.file_parameters, kind.validate(parameters)))
    except ValidationError as error:
        raise ValidationError({"parameters": error.detail}) from None
    finally:
        intake.discard()


def sample_parameters(kind: TaskType) -> dict[str, Any]:
    assert kind.sample
    return {name: _uploads(value) if name in kind.file_parameters else value for name, value in kind.sample().items()}


def _uploads(value: Any) -> Any:
    """A sample's files, each a pair of a name and its bytes, as if somebody had uploaded them."""
    if isinstance(value, list):
        return [_uploads(one) for one in value]
    name, content = value
    return SimpleUploadedFile(name, content)


@require_POST
def samples(request: HttpRequest) -> HttpResponse:
    """One task of each kind on its sample data: what an empty hub offers for a first look."""
    kinds = [kind for kind in offered() if kind.sample]
    wanted = [
        Submission(kind.name, sample_parameters(kind), name=_("Sample: %(kind)s") % {"kind": kind.label})
        for kind in kinds
    ]
    try:
        lifecycle.submit_many(wanted, by=person(request))
    except ValidationError as error:
        messages.warning(request, " ".join(flat(error.detail)))
        return redirect("tasks:list")
    forget_counts(request.user)
    messages.success(request, _("Started: %(task)s") % {"task": words.tasks(len(kinds))})
    return redirect("tasks:list")


def fill_from_former(request: HttpRequest, kind: TaskType, form: Form, options: Form) -> None:
    """Run again with changes: `?from=<task>` shows an earlier task's parameters, files and all."""
    key = as_id(request.GET.get("from"))
    visible = Task.objects.visible_to(request.user)
    if key and (former := visible.filter(pk=key, task_type=kind.name).first()):
        form.fill(registry.shown_parameters(former.task_type, former.parameters))
        form.keep(former.files.filter(kind=TaskFile.Kind.INPUT))
        options.fill(lifecycle.options_of(former))


def keep_chosen_files(request: HttpRequest, kind: TaskType, form: Form) -> None:
    """A refused form still offers the files of an earlier task that were ticked in it."""
    ids = [key for name in kind.file_parameters for text in request.POST.getlist(name) if (key := as_id(text))]
    if ids:
        form.keep(TaskFile.objects.published().filter(pk__in=ids, task__in=Task.objects.visible_to(request.user)))


def faults(error: ValidationError, form: Form, options: Form) -> list[str]:
    """Put each error at its field; give back what belongs to none."""
    detail = error.detail if isinstance(error.detail, dict) else {"": error.detail}
    return form.show_errors(detail.get("parameters", {})) + options.show_errors(
        {name: problem for name, problem in detail.items() if name != "parameters"}
    )


def refused_page(
    request: HttpRequest, kind: TaskType, form: Form, options: Form, error: ValidationError
) -> HttpResponse:
    keep_chosen_files(request, kind, form)
    return form_page(request, kind, form, options, faults(error, form, options))


def form_page(
    request: HttpRequest,
    kind: TaskType,
    form: Form,
    options: Form,
    rest: list[str] | None = None,
    preview: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """The form, to a script that sent it the form alone. With `rest`, it was refused: 422."""
    by_script = request.method == "POST" and bool(getattr(request, "htmx", False))
    errors = [*form.errors, *options.errors]
    context = {
        "kind": kind,
        "receipt": uuid.uuid4(),
        "form": form,
        "options": options,
        "rest": rest or [],
        "errors": errors,
        "fault_count": len(errors) + len(rest or []),
        "refused": rest is not None,
        "options_open": bool(options.errors),
        "preview": preview,
        "files_lost": bool(request.FILES) and not by_script,  # only a script keeps what was chosen in its place
    }
    template = "tasks/_new_form.html" if by_script else "tasks/new_kind.html"
    return render(request, template, context, status=422 if rest is not None else 200)
