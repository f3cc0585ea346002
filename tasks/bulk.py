"""One act on many tasks, for every door: done to those whose state allows it, the others are counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import transaction
from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError

from tasks import lifecycle
from tasks.lifecycle import TransitionRefused
from tasks.models import Task

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LIMIT = 10_000  # tasks in one act
# Each transaction is short, so that it keeps nobody waiting, and long enough to share the cost of its commit.
CHUNK = 20

ACTS: dict[str, Callable[..., Any]] = {
    "cancel": lifecycle.cancel,
    "retry": lifecycle.retry,
    "delete": lifecycle.delete,
}


class Outcome(NamedTuple):
    done: int
    skipped: int  # their state does not allow it


def act(action: str, tasks: QuerySet[Task], by: User) -> Outcome:
    """Do it to these tasks, oldest first."""
    done = skipped = 0
    chosen = iter(list(tasks.defer("result_data", "checkpoint").order_by("id")))
    while chunk := list(islice(chosen, CHUNK)):
        with transaction.atomic():
            succeeded = sum(_act_on_each(action, chunk, by))
        done, skipped = done + succeeded, skipped + len(chunk) - succeeded
    return Outcome(done, skipped)


def _act_on_each(action: str, tasks: Iterable[Task], by: User) -> Iterable[bool]:
    for task in tasks:
        try:
            ACTS[action](task, by=by)
        except (TransitionRefused, ValidationError, Task.DoesNotExist):
            yield False
        else:
            yield True
