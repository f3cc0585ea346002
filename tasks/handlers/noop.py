"""NOOP: does nothing. It measures the hub itself."""

from typing import Any

from rest_framework import serializers

from tasks.context import TaskContext
from tasks.registry import task_type


class Parameters(serializers.Serializer[Any]):
    x = serializers.IntegerField(default=0, help_text="Comes back as the result.")


@task_type(
    "NOOP",
    label="No operation",
    parameters=Parameters,
    result=serializers.IntegerField(help_text="What was put in."),
    hidden=True,
)
def noop(context: TaskContext, *, x: int) -> int:
    """Give back what was put in."""
    return x
