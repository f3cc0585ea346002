"""How much one person may have in a hub that people share: tasks that wait, bytes that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.core.cache import cache
from django.db.models import Sum
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from tasks.models import Status, Task, TaskFile

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# Seconds that a sum is believed: adding up at each submit would cost more than the submit. What one submits meanwhile
# may go that far over the limit.
BELIEVED = 5


def check(owner: User | None, tasks: int, size: int) -> None:
    """Raise ValidationError if `tasks` more, with files of `size` bytes, are more than this person may have."""
    if owner is None or settings.ACCESS != "login":
        return
    if settings.MAX_PENDING and pending(owner) + tasks > settings.MAX_PENDING:
        sentence = _("You may have %(limit)s tasks waiting at a time. Submit more once some have started.")
        raise ValidationError({"non_field_errors": [sentence % {"limit": settings.MAX_PENDING}]})
    # Also without an upload: what tasks made is kept too, and a task may make more than anybody sends in.
    if settings.MAX_STORED_BYTES and stored(owner) + size > settings.MAX_STORED_BYTES:
        sentence = _("Your tasks may keep %(limit)s of files. Delete some that you need no more.")
        raise ValidationError({"non_field_errors": [sentence % {"limit": filesizeformat(settings.MAX_STORED_BYTES)}]})


def pending(owner: User) -> int:
    def count() -> int:
        return Task.objects.filter(owner=owner, status=Status.PENDING)[: settings.MAX_PENDING].count()

    return cache.get_or_set(f"pending-{owner.pk}", count, BELIEVED) or 0


def stored(owner: User) -> int:
    def add_up() -> int:
        return TaskFile.objects.filter(task__owner=owner).aggregate(sum=Sum("size"))["sum"] or 0

    return cache.get_or_set(f"stored-{owner.pk}", add_up, BELIEVED) or 0
