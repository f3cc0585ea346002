"""The one place that knows everybody: autodiscovery, checks, connecting signals."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class TasksConfig(AppConfig):
    name = "tasks"
    verbose_name = "TaskHub"

    def ready(self) -> None:
        autodiscover_modules("handlers")
