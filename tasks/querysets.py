"""Which tasks and files: those a person may see, those a claim still holds, those that are published."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Func, Q

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    from tasks.models import Task, TaskFile  # noqa: F401 - named in quotes below


class _IsTrue(Func):
    """A condition as a value, which no index knows."""

    template = "(%(expressions)s) IS TRUE"
    output_field = models.BooleanField()


class TaskQuerySet(models.QuerySet["Task"]):
    def guarded(self, **conditions: Any) -> TaskQuerySet:
        """Those of these few rows that fulfil the conditions; they are looked up by what else is asked, not by these.

        Where a planner's statistics are older than the last thousand submits, it would rather go through all that waits.
        """
        return self.filter(_IsTrue(Q(**conditions)))

    def under(self, claim: int, task_id: uuid.UUID | str) -> TaskQuerySet:
        """The task, as long as this claim holds it."""
        return self.filter(pk=task_id).guarded(claim=claim)

    def visible_to(self, user: User | AnonymousUser) -> TaskQuerySet:
        """The tasks this person may see: their own, or all of them by permission."""
        if not user.is_authenticated:
            return self.none()
        if user.has_perm("tasks.view_all_tasks"):
            return self
        return self.filter(owner_id=user.pk)

    def manageable_by(self, user: User | AnonymousUser) -> TaskQuerySet:
        """The tasks this person may act on: their own, or by permission all that they see."""
        visible = self.visible_to(user)
        return visible if user.has_perm("tasks.manage_all_tasks") else visible.filter(owner_id=user.pk)

    def ready(self) -> TaskQuerySet:
        """Those that a worker may claim: what the claim's own index holds."""
        return self.filter(status="PENDING", claim=None, waits_for="")

    def newest_first(self) -> TaskQuerySet:
        # Ids are time-ordered: the primary key serves the list, no index on created_at is needed.
        return self.order_by("-id")


class TaskFileQuerySet(models.QuerySet["TaskFile"]):
    def published(self) -> TaskFileQuerySet:
        """Without what a running try has saved: that becomes visible with its outcome."""
        return self.filter(claim=None)
