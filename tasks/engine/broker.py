"""The django-q2 broker over the Task table: tasks come from `lifecycle.submit`, workers claim for themselves."""

from __future__ import annotations

from typing import Any, NoReturn

from django_q.brokers import Broker

from tasks.models import Status, Task


class TaskBroker(Broker):
    """What django-q2's settings name as its broker. Its tools see the Task table; its own queue is not used."""

    def enqueue(self, task: Any) -> NoReturn:
        raise NotImplementedError(
            "async_task() is not used here: submit work with tasks.lifecycle.submit(task_type, parameters)."
        )

    def dequeue(self) -> NoReturn:
        raise NotImplementedError("Workers claim for themselves: start them with `manage.py qcluster`.")

    def queue_size(self) -> int:
        return Task.objects.filter(status=Status.PENDING, waits_for="").count()

    def lock_size(self) -> int:
        return Task.objects.filter(claim__isnull=False).count()

    def ping(self) -> bool:
        return True

    def info(self) -> str:
        return "TaskHub"

    def set_stat(self, key: str, value: str, timeout: int) -> None: ...

    def get_stat(self, key: str) -> None: ...

    def get_stats(self, pattern: str) -> list[Any]:
        return []
