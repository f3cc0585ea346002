"""For staff: who did what, newest first."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from tasks.web.acts import person
from tasks.web.log import number

PAGE = 50


@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    """`?who=` is a user name, `?about=` the id of a task, `?before=` the number of the last line of the page before."""
    if not person(request).is_staff:
        raise PermissionDenied(_("The audit is for staff."))
    lines = list(chosen(request)[: PAGE + 1])
    context: dict[str, Any] = {
        "lines": lines[:PAGE],
        "older": lines[PAGE - 1].pk if len(lines) > PAGE else None,
        "who": request.GET.get("who", ""),
        "about": request.GET.get("about", ""),
        "is_first_page": "before" not in request.GET,
    }
    return render(request, "account/audit.html", context)


def chosen(request: HttpRequest) -> QuerySet[LogEntry]:
    lines = LogEntry.objects.select_related("user", "content_type").order_by("-id")
    if who := request.GET.get("who", "")[:150]:
        lines = lines.filter(user__username=who)
    if about := request.GET.get("about", "").strip()[:200]:
        lines = lines.filter(object_id=about)
    if before := number(request.GET.get("before")):
        lines = lines.filter(pk__lt=before)
    return lines
