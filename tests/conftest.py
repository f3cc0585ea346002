"""Fixtures: people, and tasks in any state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from tasks.models import Task


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_user("owner", password="owner's password")


@pytest.fixture
def stranger(db: None) -> User:
    return User.objects.create_user("stranger", password="stranger's password")


@pytest.fixture
def staff(db: None) -> User:
    return User.objects.create_superuser("staff", password="staff's password")


@pytest.fixture
def make_task(db: None) -> Callable[..., Task]:
    """Makes a task in any state: `make_task(status="FAILED")`."""

    def make(task_type: str = "NOOP", **fields: Any) -> Task:
        return Task.objects.create(task_type=task_type, **fields)

    return make
