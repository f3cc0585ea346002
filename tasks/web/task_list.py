"""The task list: the page, its table and its counts as fragments."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from tasks import registry
from tasks.filters import ORDERS, task_types
from tasks.web.default_view import default_view
from tasks.web.listing import PERIODS, SIZES, Listing


@require_safe
@never_cache
def task_list(request: HttpRequest) -> HttpResponse:
    if not request.GET and (view := default_view(request)):
        # To an address of its own, so that it can be shared and polled like any other view.
        return redirect(f"{reverse('tasks:list')}?{view}")
    periods = {"24h": _("Last 24 hours"), "7d": _("Last 7 days"), "30d": _("Last 30 days")}
    context = {
        "kinds": task_types(),
        "periods": [("", _("Any time"))] + [(period, periods[period]) for period in PERIODS],
        "orders": ORDERS,
        "sizes": SIZES,
    }
    return render(request, "tasks/task_list.html", context | table_context(Listing(request)))


@require_safe
@never_cache
def task_table(request: HttpRequest) -> HttpResponse:
    """What a poll asks for: nothing (204) where the page it has is still right, else the table and the counts."""
    listing = Listing(request)
    if request.GET.get("v") == listing.version:
        return HttpResponse(status=204)
    context = table_context(listing)
    html = render_to_string("tasks/_task_table.html", context, request)
    html += render_to_string("tasks/_counts.html", context | {"oob": True}, request)
    html += render_to_string("_hub_state.html", {"oob": True}, request)
    return HttpResponse(html)


@require_safe
@never_cache
def task_counts(request: HttpRequest) -> HttpResponse:
    return render(request, "tasks/_counts.html", table_context(Listing(request)))


def table_context(listing: Listing) -> dict[str, Any]:
    return {"listing": listing, "offered": offered()}


def offered() -> list[registry.TaskType]:
    """The task types that people may start from a page."""
    return [kind for kind in registry.all_types() if not kind.hidden]
