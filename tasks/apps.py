"""The one place that knows everybody: autodiscovery, checks, connecting signals."""

from typing import Any

from django.apps import AppConfig
from django.core.checks import register
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules


class TasksConfig(AppConfig):
    name = "tasks"
    verbose_name = "TaskHub"

    def ready(self) -> None:
        from tasks import lifecycle, stats
        from tasks.api import once
        from tasks.checks import check_access, check_database
        from tasks.engine import upkeep

        register(check_database, "engine")
        register(check_access, "security")
        autodiscover_modules("handlers")
        post_migrate.connect(lifecycle.open_default_queue, sender=self)
        upkeep.further_duties += [upkeep.Duty(5.0, stats.roll_up), upkeep.Duty(3600.0, once.forget_old)]
        lifecycle.submitted.connect(_tell_of_submitted, dispatch_uid="wakeup")
        lifecycle.cancelled.connect(_tell_of_cancelled, dispatch_uid="wakeup")


def _tell_of_submitted(sender: Any, *, count: int, due: Any, **kwargs: Any) -> None:
    from tasks.engine import wakeup

    wakeup.tell(wakeup.News(ready=count, due=due))


def _tell_of_cancelled(sender: Any, **kwargs: Any) -> None:
    from tasks.engine import wakeup

    wakeup.tell(wakeup.News(cancelled=True))
