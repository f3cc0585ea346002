"""DJANGO_TASK: runs a function that is decorated with Django's `@task`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.core.signing import BadSignature, Signer
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_tasks.base import Task, TaskContext, TaskResult, TaskResultStatus
from django_tasks.utils import normalize_json
from rest_framework import serializers

from tasks.context import Fail
from tasks.context import TaskContext as HubContext
from tasks.registry import task_type

NAME = "DJANGO_TASK"
signer = Signer(salt="tasks.handlers.django_task")


def signed(function: str, args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a task that calls this function so. Only the hub's own code can make them."""
    call = {"function": function, "args": args, "kwargs": kwargs}
    return call | {"signature": signer.signature(_canonical(call))}


def _canonical(call: Mapping[str, Any]) -> str:
    return json.dumps([call["function"], call["args"], call["kwargs"]], sort_keys=True)


class Parameters(serializers.Serializer[Any]):
    function = serializers.CharField(help_text=gettext_lazy("The function's dotted path."))
    args = serializers.ListField(
        child=serializers.JSONField(allow_null=True), default=list, help_text=gettext_lazy("Its arguments.")
    )
    kwargs = serializers.JSONField(default=dict, help_text=gettext_lazy("Its arguments by name."))
    # Who has it may have the same call made again.
    signature = serializers.CharField(
        write_only=True, help_text=gettext_lazy("Made by the hub's own code, which alone submits these.")
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        # Else whoever may submit could have any function of the installation called.
        try:
            signer.unsign(f"{_canonical(attrs)}{signer.sep}{attrs['signature']}")
        except BadSignature:
            raise serializers.ValidationError(_("Only code of this hub may submit a call of a function.")) from None
        return attrs


def name_for(parameters: Mapping[str, Any]) -> str:
    return str(parameters["function"]).rpartition(".")[2]


@task_type(
    NAME,
    label=gettext_lazy("Django task"),
    parameters=Parameters,
    result=serializers.JSONField(help_text=gettext_lazy("What the function gave back.")),
    make_name=name_for,
    hidden=True,
    timeout=None,
)
def django_task(context: HubContext, *, function: str, args: list[Any], kwargs: dict[str, Any], signature: str) -> Any:
    """Call a function of this installation that is decorated with Django's `@task`."""
    task = import_string(function)
    if not isinstance(task, Task):
        raise Fail(_("%(function)s is not decorated with @task.") % {"function": function})
    if not task.takes_context:
        return normalize_json(task.call(*args, **kwargs))
    running: TaskResult[Any] = TaskResult(
        task=task,
        id=str(context.task_id),
        status=TaskResultStatus.RUNNING,
        enqueued_at=None,
        started_at=None,
        last_attempted_at=None,
        finished_at=None,
        args=args,
        kwargs=kwargs,
        backend=task.backend,
        errors=[],
        worker_ids=["this worker"] * context.attempt,
    )
    return normalize_json(task.call(TaskContext(task_result=running), *args, **kwargs))
