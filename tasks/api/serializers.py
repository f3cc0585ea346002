"""What goes in and out of the API, as JSON."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tasks.accounts.models import Token
from tasks.bulk import ACTS, LIMIT
from tasks.masking import masked
from tasks.models import Cluster, Task, TaskAttempt, TaskFile, TaskItem, TaskLogLine
from tasks.registry import shown_parameters


@extend_schema_field({})
class AnyField(serializers.JSONField):
    """Any JSON value, null too."""


class TaskSerializer(serializers.ModelSerializer[Task]):
    """A task. The first eight fields are the contract with the clients of old; the others came with TaskHub."""

    result_data = AnyField(read_only=True, help_text=_("What the task type's handler gave back."))
    owner = serializers.CharField(
        source="owner.username", allow_null=True, default=None, help_text=_("The owner's user name.")
    )
    retry_of = serializers.UUIDField(source="retry_of_id", allow_null=True, help_text=_("The task this one retries."))
    parameters = serializers.SerializerMethodField(help_text=_("As they were validated; secrets are masked."))
    stopping = serializers.BooleanField(
        source="is_stopping", help_text=_("Cancelled, and its worker has not let go of it yet.")
    )

    class Meta:
        model = Task
        fields = [
            "id",
            "task_type",
            "status",
            "created_at",
            "started_at",
            "completed_at",
            "result_data",
            "error_message",
            "progress",
            "progress_message",
            "name",
            "parameters",
            "queue",
            "priority",
            "run_at",
            "waits_for",
            "attempts",
            "max_attempts",
            "losses",
            "max_losses",
            "timeout",
            "owner",
            "retry_of",
            "stopping",
            "version",
        ]
        read_only_fields = fields

    def __init__(self, *args: Any, fields: list[str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wanted = fields

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        return fields if self.wanted is None else {name: fields[name] for name in self.wanted}

    def get_parameters(self, task: Task) -> dict[str, Any]:
        return shown_parameters(task.task_type, task.parameters)


class ParametersField(serializers.JSONField):
    """An object; what is in it, uploads among it, is for the task type to judge."""

    default_error_messages = {"invalid": _("Parameters must be an object.")}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("invalid")
        return data


class SubmitSerializer(serializers.Serializer[Any]):
    """A task to submit. What may be left out may also be null."""

    task_type = serializers.CharField(max_length=64, help_text=_("One of the task types."))
    parameters = ParametersField(
        required=False, allow_null=True, help_text=_("What the task type takes; see its schema.")
    )
    name = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, max_length=200, help_text=_("What people know it by.")
    )
    queue = serializers.CharField(required=False, allow_null=True, max_length=40, help_text=_("The line it waits in."))
    priority = serializers.IntegerField(
        required=False, allow_null=True, min_value=-1000, max_value=1000, help_text=_("Higher comes first.")
    )
    run_at = serializers.DateTimeField(required=False, allow_null=True, help_text=_("Not before this time."))
    max_attempts = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=100, help_text=_("How often it may be tried.")
    )

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        given = super().to_internal_value(data)
        return {name: value for name, value in given.items() if value is not None}


class RetrySerializer(serializers.Serializer[Any]):
    """How to retry a task."""

    items = serializers.ChoiceField(
        choices=["failed", "unknown", "failed,unknown"],
        required=False,
        allow_null=True,
        help_text=_("Do again just the items that ended so; without it, the whole task."),
    )


class ActSerializer(serializers.Serializer[Any]):
    """What to do to which tasks: those of `ids`, or those that `filter` leaves."""

    action = serializers.ChoiceField(choices=sorted(ACTS))
    ids = serializers.ListField(child=serializers.UUIDField(), required=False, min_length=1, max_length=LIMIT)
    filter = serializers.DictField(
        child=serializers.CharField(),
        required=False,
        allow_empty=False,
        help_text=_("The parameters of the list, such as `status` and `q`."),
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("ids" in attrs) == ("filter" in attrs):
            raise serializers.ValidationError(_("Give either ids or a filter."))
        return attrs


class OutcomeSerializer(serializers.Serializer[Any]):
    done = serializers.IntegerField()
    skipped = serializers.IntegerField(help_text=_("How many were passed over: their state does not allow it."))


class SubmittedSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    ids = serializers.ListField(child=serializers.UUIDField(), help_text=_("In the order they were sent in."))


class CancelledSerializer(serializers.Serializer[Any]):
    message = serializers.CharField()
    task_id = serializers.UUIDField()


class LogLineSerializer(serializers.ModelSerializer[TaskLogLine]):
    class Meta:
        model = TaskLogLine
        fields = ["seq", "at", "level", "message"]


class FileSerializer(serializers.ModelSerializer[TaskFile]):
    url = serializers.SerializerMethodField(help_text=_("Where to download it."))

    class Meta:
        model = TaskFile
        fields = ["id", "name", "kind", "parameter", "size", "content_type", "created_at", "url"]

    def get_url(self, file: TaskFile) -> str:
        return reverse("api:file", args=[file.pk])


class ItemSerializer(serializers.ModelSerializer[TaskItem]):
    detail = AnyField(help_text=_("What the handler noted."))

    class Meta:
        model = TaskItem
        fields = ["position", "key", "state", "detail", "error"]

    def to_representation(self, item: TaskItem) -> dict[str, Any]:
        return masked(super().to_representation(item))


class AttemptSerializer(serializers.ModelSerializer[TaskAttempt]):
    """A try that did not finish its task. The traceback is for staff."""

    class Meta:
        model = TaskAttempt
        fields = ["outcome", "started_at", "ended_at", "worker", "hostname", "error", "traceback"]

    def to_representation(self, attempt: TaskAttempt) -> dict[str, Any]:
        shown = super().to_representation(attempt)
        if not self.context["request"].user.is_staff:
            shown["traceback"] = ""
        return shown


class TaskTypeSerializer(serializers.Serializer[Any]):
    """A task type, what it takes and what it gives back."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    description = serializers.CharField()
    hidden = serializers.BooleanField(help_text=_("Not offered on the pages."))
    max_attempts = serializers.IntegerField()
    parameters = serializers.JSONField(help_text=_("A JSON Schema (2020-12)."))
    result = AnyField(help_text=_("A JSON Schema (2020-12); null where the type does not say."))


class ClusterSerializer(serializers.ModelSerializer[Cluster]):
    """A sentinel with its workers. It is alive until its lease expires."""

    alive = serializers.SerializerMethodField()
    workers = serializers.SerializerMethodField(help_text=_("One entry a worker, as it last reported."))

    class Meta:
        model = Cluster
        fields = ["id", "hostname", "pid", "queues", "workers", "started_at", "renewed_at", "lease_expires_at", "alive"]

    def get_alive(self, cluster: Cluster) -> bool:
        return cluster.lease_expires_at > self.context["now"]

    def get_workers(self, cluster: Cluster) -> list[dict[str, Any]]:
        """Of a task that one may not see no more than that its worker is busy."""
        return [
            report | {"busy": bool(report.get("task")), "task": self.context["seen"].get(str(report.get("task")))}
            for report in cluster.workers
        ]


class QueueSerializer(serializers.Serializer[Any]):
    """A queue, with its tasks that could start now and those that run, each counted up to 10,000."""

    name = serializers.CharField()
    paused_at = serializers.DateTimeField(allow_null=True)
    ready = serializers.IntegerField()
    running = serializers.IntegerField()


class BucketSerializer(serializers.Serializer[Any]):
    """Times are in seconds; null where nothing ended."""

    start = serializers.DateTimeField(allow_null=True)
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    p50 = serializers.FloatField(allow_null=True, help_text=_("Half of them took no longer."))
    p95 = serializers.FloatField(allow_null=True)
    wait_p50 = serializers.FloatField(allow_null=True, help_text=_("Half of them waited no longer."))
    wait_p95 = serializers.FloatField(allow_null=True)


class FrequentErrorSerializer(serializers.Serializer[Any]):
    error = serializers.CharField()
    count = serializers.IntegerField()
    last_at = serializers.DateTimeField()


class StatisticsSerializer(serializers.Serializer[Any]):
    since = serializers.DateTimeField()
    total = BucketSerializer()
    before = BucketSerializer(help_text=_("The period before this one."))
    by_type = serializers.DictField(child=BucketSerializer())
    over_time = BucketSerializer(many=True)
    errors = FrequentErrorSerializer(many=True)  # type: ignore[assignment]


class TokenSerializer(serializers.ModelSerializer[Token]):
    """A token, but for its text, which is shown once."""

    id = serializers.UUIDField(source="public_id")
    created_at = serializers.DateTimeField(source="created")
    expires_at = serializers.DateTimeField(source="expiry", allow_null=True)

    class Meta:
        model = Token
        fields = ["id", "name", "created_at", "last_used_at", "expires_at"]


class NewTokenSerializer(serializers.Serializer[Any]):
    """What to make a token from."""

    name = serializers.CharField(max_length=100, help_text=_("What it is for."))
    days = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=3650, help_text=_("Until it expires; never, if null.")
    )


class MadeTokenSerializer(TokenSerializer):
    """A new token with its text: it is not shown again."""

    token = serializers.SerializerMethodField()

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]

    def get_token(self, token: Token) -> str:
        return self.context["text"]


class ProblemSerializer(serializers.Serializer[Any]):
    """Why a request was refused (RFC 9457)."""

    type = serializers.CharField(default="about:blank")
    title = serializers.CharField(help_text=_("The status in words."))
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text=_("What is wrong, as a sentence."))
    errors = serializers.JSONField(  # type: ignore[assignment]
        required=False, help_text=_("With 422: what is wrong, field by field, as the body has them.")
    )


class HealthSerializer(serializers.Serializer[Any]):
    """How TaskHub is. A stranger is told the first two alone."""

    status = serializers.ChoiceField(choices=["healthy"])
    queue_running = serializers.BooleanField(help_text=_("Whether a cluster is alive that runs tasks."))
    total_tasks = serializers.IntegerField(required=False, help_text=_("How many tasks you may see."))
    version = serializers.CharField(required=False)
    time = serializers.DateTimeField(required=False)
