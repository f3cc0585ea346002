"""The one place that knows everybody: autodiscovery, checks, connecting signals."""

from django.apps import AppConfig
from django.core.checks import register
from django.utils.module_loading import autodiscover_modules


class TasksConfig(AppConfig):
    name = "tasks"
    verbose_name = "TaskHub"

    def ready(self) -> None:
        from tasks.checks import check_database

        register(check_database)
        autodiscover_modules("handlers")
