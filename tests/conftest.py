"""Fixtures: people, and tasks in any state."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache

from tasks.access import remembered
from tasks.models import Task
from tests.hub import RunningHub, empty_database

# The modules there import Playwright, which comes with requirements-dev.txt; without it `pytest` runs the rest.
collect_ignore = [] if find_spec("playwright") else ["browser"]


# Fixtures that need what requirements-dev.txt brings.
TOOLS = {"mail_server": "aiosmtpd", "jsonschema": "jsonschema_rs"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need such a fixture are marked `dev`, and skipped where its tool is missing."""
    for item in items:
        for tool in {TOOLS[name] for name in getattr(item, "fixturenames", ()) if name in TOOLS}:
            item.add_marker(pytest.mark.dev)
            if not find_spec(tool):
                item.add_marker(pytest.mark.skip(reason="needs requirements-dev.txt"))


def pytest_unconfigure() -> None:
    """The data folder goes with the test run."""
    shutil.rmtree(settings.DATA_DIR, ignore_errors=True)


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    """Counts, sums, the local user and content types are kept for a while; a test has none of another's database."""
    cache.clear()
    remembered.forget()
    ContentType.objects.clear_cache()
    yield
    cache.clear()


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


@pytest.fixture
def start_hub(tmp_path: Path) -> Iterator[Callable[..., RunningHub]]:
    """Starts a hub with these arguments for `up`; at the end of the test all of it is gone."""
    with ExitStack() as stack:

        def start(*arguments: str) -> RunningHub:
            folder = tmp_path / uuid.uuid4().hex[:6]
            folder.mkdir()
            hub = RunningHub(folder, stack.enter_context(empty_database(folder)), *arguments)
            stack.callback(hub.stop_if_running)
            return hub

        yield start


@pytest.fixture
def jsonschema() -> Any:
    """A judge of JSON Schemas other than the library that makes ours."""
    return import_module("jsonschema_rs")


@pytest.fixture
def mail_server(settings: Any) -> Iterator[Any]:
    """A mail server on a loopback port, to which campaigns go."""
    from tests.mail_server import MailServer

    server = MailServer()
    server.controller.start()
    settings.MAIL_SERVER_SET = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 5
    settings.DEFAULT_FROM_EMAIL = "TaskHub <hub@example.org>"
    yield server
    server.controller.stop()
