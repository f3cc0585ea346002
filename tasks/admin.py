"""The admin: everything to look at; what is changed is changed through the lifecycle."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tasks import bulk, registry
from tasks.accounts.models import Token
from tasks.filters import REACH, TaskFilter
from tasks.masking import masked
from tasks.models import Cluster, Queue, Task, TaskAttempt, TaskFile, TaskItem, TaskLogLine


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than one may page: counting a million rows takes longer than anybody waits."""

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by()[: self.MOST].count()  # type: ignore[attr-defined]


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that the hub keeps: people read them here."""

    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    sortable_by = ()  # by most columns a million rows would be read and sorted for a page

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def within_reach(rows: QuerySet[Any]) -> QuerySet[Any]:
    """The newest rows: what no index serves is looked for among these, or a rare value would cost reading all."""
    edge = rows.order_by("-pk").values_list("pk", flat=True)[REACH - 1 : REACH].first()
    return rows if edge is None else rows.filter(pk__gte=edge)


class AmongTheNewest(admin.ChoicesFieldListFilter):
    """A filter by a column without an index. With a search, which has one, it looks at all that was found."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        if self.used_parameters and not request.GET.get("q"):
            queryset = within_reach(queryset)
        return super().queryset(request, queryset)


class PartAdmin(ReadOnlyAdmin):
    """What belongs to a task; newest first by key, which costs nothing."""

    ordering = ["-pk"]
    search_fields = ["task"]  # see get_search_results
    search_help_text = gettext_lazy("The id of a task")
    raw_id_fields = ["task"]
    list_select_related = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Of the tasks that this member of the staff may see, whatever Django's own permissions say of the rows."""
        rows = super().get_queryset(request)
        if request.user.has_perm("tasks.view_all_tasks"):
            return rows
        return rows.filter(task__in=Task.objects.visible_to(request.user))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By id, which has an index: Django would compare ids as texts, row by row."""
        if not search_term:
            return queryset, False
        try:
            return queryset.filter(task_id=UUID(search_term.strip())), False
        except ValueError:
            return queryset.none(), False


class TaskTypeListFilter(admin.SimpleListFilter):
    """The known types: asking the table for its distinct values would read it all."""

    title = gettext_lazy("task type")
    parameter_name = "task_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.name, str(kind.label)) for kind in registry.all_types()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Task]) -> QuerySet[Task]:
        return queryset.filter(task_type=self.value()) if self.value() else queryset


class QueueListFilter(admin.SimpleListFilter):
    title = gettext_lazy("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in Queue.objects.order_by("name").values_list("name", flat=True)[:100]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Task]) -> QuerySet[Task]:
        return within_reach(queryset).filter(queue=self.value()) if self.value() else queryset


@admin.register(Task)
class TaskAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "short_id", "task_type", "status", "queue", "priority", "attempts", "created_at"]
    list_filter = ["status", TaskTypeListFilter, QueueListFilter]
    search_fields = ["name"]  # how it searches is the filter's business
    search_help_text = gettext_lazy(
        "Words in the name or the error, an id, or as on the task list: status:failed type:csv"
    )
    ordering = ["-id"]
    raw_id_fields = ["owner", "retry_of"]
    actions = ["cancel", "retry", "delete_ended"]
    exclude = ["parameters", "claim", "parameters_digest"]
    readonly_fields = ["shown_parameters"]

    @admin.display(description=gettext_lazy("parameters"))
    def shown_parameters(self, task: Task) -> str:
        return json.dumps(registry.shown_parameters(task.task_type, task.parameters), indent=2, ensure_ascii=False)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Task]:
        return Task.objects.visible_to(request.user).defer("checkpoint")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Task], search_term: str
    ) -> tuple[QuerySet[Task], bool]:
        return TaskFilter({"q": search_term}, queryset, request=request).qs, False

    def has_act_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    @admin.action(description=gettext_lazy("Cancel"), permissions=["act"])
    def cancel(self, request: HttpRequest, tasks: QuerySet[Task]) -> None:
        self._act("cancel", request, tasks)

    @admin.action(description=gettext_lazy("Retry, as new tasks"), permissions=["act"])
    def retry(self, request: HttpRequest, tasks: QuerySet[Task]) -> None:
        self._act("retry", request, tasks)

    @admin.action(description=gettext_lazy("Delete those that have ended"), permissions=["act"])
    def delete_ended(self, request: HttpRequest, tasks: QuerySet[Task]) -> None:
        self._act("delete", request, tasks)

    def _act(self, action: str, request: HttpRequest, tasks: QuerySet[Task]) -> None:
        chosen = list(tasks.values_list("pk", flat=True)[: bulk.LIMIT])
        own = Task.objects.manageable_by(request.user).filter(pk__in=chosen)
        done, skipped = bulk.act(action, own, request.user)  # type: ignore[arg-type]
        sentence = _("Done to %(done)s; %(skipped)s passed over: their state does not allow it.")
        level = messages.SUCCESS if done else messages.WARNING
        self.message_user(request, sentence % {"done": done, "skipped": skipped}, level)


@admin.register(TaskAttempt)
class TaskAttemptAdmin(PartAdmin):
    list_display = ["task_id", "outcome", "started_at", "ended_at", "hostname", "worker", "error"]
    list_filter = [("outcome", AmongTheNewest)]


@admin.register(TaskLogLine)
class TaskLogLineAdmin(PartAdmin):
    list_display = ["task_id", "seq", "at", "level", "message"]
    list_filter = [("level", AmongTheNewest)]


@admin.register(TaskItem)
class TaskItemAdmin(PartAdmin):
    list_display = ["task_id", "position", "shown_key", "state", "error"]
    list_filter = [("state", AmongTheNewest)]
    exclude = ["key", "detail"]
    readonly_fields = ["shown_key", "shown_detail"]

    @admin.display(description="key")
    def shown_key(self, item: TaskItem) -> str:
        return masked(item.key)

    @admin.display(description="detail")
    def shown_detail(self, item: TaskItem) -> str:
        return json.dumps(masked(item.detail), indent=2, ensure_ascii=False)


@admin.register(TaskFile)
class TaskFileAdmin(PartAdmin):
    list_display = ["name", "kind", "size", "content_type", "task_id", "created_at"]
    list_filter = [("kind", AmongTheNewest)]
    exclude = ["content", "claim"]


@admin.register(Cluster)
class ClusterAdmin(ReadOnlyAdmin):
    list_display = ["hostname", "pid", "started_at", "renewed_at", "lease_expires_at"]
    ordering = ["-renewed_at"]


@admin.register(Queue)
class QueueAdmin(ReadOnlyAdmin):
    list_display = ["name", "paused_at"]
    ordering = ["name"]


@admin.register(Token)
class TokenAdmin(ReadOnlyAdmin):
    """Whose programs may use the API. What is deleted here is revoked."""

    list_display = ["name", "user", "created", "last_used_at", "expiry"]
    list_select_related = ["user"]
    search_fields = ["name", "=user__username"]
    exclude = ["digest", "token_key"]
    ordering = ["-created"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("accounts.delete_token")


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin):
    """The audit: who did what, and when."""

    list_display = ["action_time", "user", "action_flag", "change_message", "object_repr"]
    list_filter = [("action_flag", AmongTheNewest)]
    search_fields = ["user"]  # see get_search_results
    search_help_text = gettext_lazy("The id of a task, or a user name")
    ordering = ["-id"]
    list_select_related = ["user"]
    raw_id_fields = ["user"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[LogEntry], search_term: str
    ) -> tuple[QuerySet[LogEntry], bool]:
        """By whole values, each of which has an index: Django would read every row to compare without case."""
        term = search_term.strip()
        if not term:
            return queryset, False
        people = list(User.objects.filter(username=term).values_list("pk", flat=True))
        return queryset.filter(user__in=people) if people else queryset.filter(object_id=as_noted(term)), False


def as_noted(term: str) -> str:
    """An id as the audit has it."""
    try:
        return str(UUID(term))
    except ValueError:
        return term
