"""A real browser: Debian's Chromium, watched for errors of any sort."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page

from tasks.models import Cluster, Queue

# Playwright runs an event loop in this thread; the ORM is used beside it, not inside it.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in str(item.path):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.django_db(transaction=True))


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    return {"executable_path": CHROMIUM, "args": ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]}


@pytest.fixture(scope="session")
def browser_context_args() -> dict[str, Any]:
    return {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"}


@pytest.fixture(autouse=True)
def _fresh_hub(db: None) -> None:
    """A worker that seems to live: its banner is another test's matter."""
    Queue.objects.get_or_create(name="default")
    lease = timezone.now() + timedelta(hours=1)
    Cluster.objects.create(id="alive", host="h", hostname="hub-a", pid=1, lease_expires_at=lease)


class Watch:
    """What went wrong in a page. A test that expects some of it says so in `expected`."""

    def __init__(self, home: str) -> None:
        self.home, self.faults, self.requests = home, [], []
        self.expected: tuple[str, ...] = ()

    def attach(self, page: Page) -> None:
        page.on("console", lambda message: self.note(message.text, message.type in {"error", "warning"}))
        page.on("pageerror", lambda error: self.note(f"uncaught: {error}"))
        page.on("request", self.request)
        page.on("response", lambda answer: self.note(f"{answer.status} {answer.url}", answer.status >= 500))

    def request(self, request: Any) -> None:
        self.requests.append(request.url)
        self.note(f"foreign request: {request.url}", not request.url.startswith((self.home, "data:", "blob:")))

    def note(self, fault: str, is_fault: bool = True) -> None:
        if is_fault:
            self.faults.append(fault)

    def polls(self) -> int:
        return sum("/_table/" in url or "/_live/" in url for url in self.requests)


@pytest.fixture
def watch(page: Page, live_server) -> Iterator[Watch]:
    watch = Watch(live_server.url)
    watch.attach(page)
    yield watch
    faults = [fault for fault in watch.faults if not any(part in fault for part in watch.expected)]
    assert faults == []


@pytest.fixture
def hub(page: Page, watch: Watch, live_server) -> Callable[[str], Page]:
    """Opens an address of the hub: `hub("/workers/")`."""

    def go(path: str = "/") -> Page:
        page.goto(f"{live_server.url}{path}")
        return page

    return go
