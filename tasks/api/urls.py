"""Every path of the API, each with and without a trailing slash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path
from drf_spectacular.views import SpectacularAPIView

from tasks.api import hub, many, parts, running, tokens
from tasks.api.tasks import TaskViewSet

app_name = "api"


def both(route: str, view: Callable[..., Any], name: str) -> list[URLPattern]:
    """The path as it is linked to, and with a slash after it, which is no redirect."""
    return [path(route, view, name=name), path(f"{route}/", view, name=f"{name}-slash")]


urlpatterns = [
    *both("health", hub.HealthView.as_view(), "health"),
    *both("schema", SpectacularAPIView.as_view(), "schema"),
    *both("task-types", hub.TaskTypesView.as_view(), "task-types"),
    *both("clusters", running.ClustersView.as_view(), "clusters"),
    *both("queues", running.QueuesView.as_view(), "queues"),
    *both("queues/<str:queue>/pause", running.PauseView.as_view(), "pause"),
    *both("queues/<str:queue>/resume", running.ResumeView.as_view(), "resume"),
    *both("statistics", running.StatisticsView.as_view(), "statistics"),
    *both("tokens", tokens.TokensView.as_view(), "tokens"),
    *both("tokens/<str:token_id>", tokens.TokenView.as_view(), "token"),
    *both("tasks", TaskViewSet.as_view({"get": "list", "post": "create"}), "tasks"),
    # Before the ids: it is never looked up as one.
    *both("tasks/submit", TaskViewSet.as_view({"post": "submit"}), "submit"),
    *both("tasks/bulk-submit", many.SubmitManyView.as_view(), "bulk-submit"),
    *both("tasks/bulk-act", many.ActView.as_view(), "bulk-act"),
    *both("tasks/<str:task_id>", TaskViewSet.as_view({"get": "retrieve", "delete": "destroy"}), "task"),
    *both("tasks/<str:task_id>/retry", TaskViewSet.as_view({"post": "retry"}), "retry"),
    *both("tasks/<str:task_id>/delete", TaskViewSet.as_view({"post": "remove"}), "delete"),
    *both("tasks/<str:task_id>/log", parts.LogView.as_view(), "log"),
    *both("tasks/<str:task_id>/files", parts.FilesView.as_view(), "files"),
    *both("tasks/<str:task_id>/items", parts.ItemsView.as_view(), "items"),
    *both("tasks/<str:task_id>/attempts", parts.AttemptsView.as_view(), "attempts"),
    *both("files/<str:file_id>", parts.FileView.as_view(), "file"),
]
