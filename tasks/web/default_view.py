"""The view of the task list that a person has chosen to begin with: a filter, an order and a size, kept in a cookie."""

from __future__ import annotations

from django.http import HttpRequest, QueryDict

COOKIE = "view"
# What of a list's query string makes a view. Where in the list one is, is no part of it.
PARTS = ("status", "q", "task_type", "queue", "owner", "since", "order", "size")
LONGEST = 800  # characters: browsers keep some thousand a site, and Django takes a thousand fields apart
# Asks for the list without any filter, where `/` alone would lead to the chosen view.
EVERYTHING = "view=all"


def view_of(query: QueryDict) -> str:
    """The view in a query string as one of its own, always in the same order: "" where it is the plain list."""
    view = QueryDict(mutable=True)
    for name in PARTS:
        if value := query.get(name):
            view[name] = value
    text = view.urlencode()
    return text if len(text) <= LONGEST else ""


def default_view(request: HttpRequest) -> str:
    """The query string that `/` leads to. A cookie may hold anything: only what could be chosen is taken from it."""
    kept = request.COOKIES.get(COOKIE, "")
    return view_of(QueryDict(kept)) if len(kept) <= LONGEST else ""
