"""NAP: sleeps. It shows what a long task looks like, and measures how fast one is stopped or taken up again."""

from __future__ import annotations

import time
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from tasks.context import TaskContext
from tasks.registry import task_type


class Parameters(serializers.Serializer[Any]):
    seconds = serializers.FloatField(default=1.0, min_value=0, max_value=3600, help_text=_("How long it sleeps."))


@task_type(
    "NAP",
    label=_("Nap"),
    parameters=Parameters,
    result=serializers.FloatField(help_text=_("How long it slept, in seconds.")),
    hidden=True,
)
def nap(context: TaskContext, *, seconds: float) -> float:
    """Sleep, then give back for how long."""
    time.sleep(seconds)
    return seconds
