"""The backend of Django's Tasks framework: functions decorated with `@task` run here, and stand in the task table."""

from __future__ import annotations

import re
from typing import Any

from django.utils.module_loading import import_string
from django_tasks.backends.base import BaseTaskBackend
from django_tasks.base import Task as DjangoTask
from django_tasks.base import TaskError, TaskResult, TaskResultStatus
from django_tasks.exceptions import TaskResultDoesNotExist
from django_tasks.signals import task_enqueued
from django_tasks.utils import normalize_json

from tasks import lifecycle
from tasks.handlers import django_task
from tasks.models import Status, Task

STATUSES = {
    Status.PENDING: TaskResultStatus.READY,
    Status.RUNNING: TaskResultStatus.RUNNING,
    Status.SUCCESS: TaskResultStatus.SUCCESSFUL,
    Status.FAILED: TaskResultStatus.FAILED,
    Status.CANCELLED: TaskResultStatus.FAILED,
}
RAISED = re.compile(r"^([A-Za-z_][\w.]*)(?::|$)")


class TaskHubBackend(BaseTaskBackend):
    """`TASKS = {"default": {"BACKEND": "tasks.backend.TaskHubBackend", "QUEUES": []}}`; no queue named: any."""

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def enqueue(self, task: DjangoTask[Any, Any], args: Any, kwargs: Any) -> TaskResult[Any]:
        self.validate_task(task)
        parameters = django_task.signed(task.module_path, normalize_json(args), normalize_json(kwargs))
        stored = lifecycle.submit(
            django_task.NAME, parameters, queue=task.queue_name, priority=task.priority, run_at=task.run_after
        )
        result = self.result_of(stored, task)
        task_enqueued.send(type(self), task_result=result)
        return result

    def get_result(self, result_id: str) -> TaskResult[Any]:
        try:
            stored = lifecycle.find(result_id, Task.objects.filter(task_type=django_task.NAME))
        except Task.DoesNotExist:
            raise TaskResultDoesNotExist(result_id) from None
        function = import_string(stored.parameters["function"])
        run_after = stored.run_at if stored.run_at > stored.created_at else None
        task = function.using(priority=stored.priority, queue_name=stored.queue, run_after=run_after)
        return self.result_of(stored, task)

    def result_of(self, stored: Task, task: DjangoTask[Any, Any]) -> TaskResult[Any]:
        attempts = list(stored.past_attempts.all())
        # The framework counts the tries by their workers: one that is not known any more is told as "".
        tries = [str(attempt.worker or "") for attempt in attempts]
        if stored.status in {Status.RUNNING, Status.SUCCESS}:
            tries.append(str(stored.worker or ""))
        result: TaskResult[Any] = TaskResult(
            task=task,
            id=str(stored.pk),
            status=STATUSES[Status(stored.status)],
            enqueued_at=stored.created_at,
            started_at=attempts[0].started_at if attempts else stored.started_at,
            last_attempted_at=stored.started_at,
            finished_at=stored.completed_at,
            args=stored.parameters["args"],
            kwargs=stored.parameters["kwargs"],
            backend=self.alias,
            errors=[TaskError(exception_class_path=raised(one.traceback), traceback=one.traceback) for one in attempts],
            worker_ids=tries,
        )
        object.__setattr__(result, "_return_value", stored.result_data)
        return result


def raised(traceback: str) -> str:
    """The class that a traceback ends with, as a dotted path."""
    for line in reversed(traceback.splitlines()):
        if match := RAISED.match(line):
            return match[1] if "." in match[1] else f"builtins.{match[1]}"
    return "builtins.Exception"
