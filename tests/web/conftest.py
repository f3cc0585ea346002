"""Fixtures: people at their browsers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import translation


@pytest.fixture(autouse=True)
def _own_language() -> Iterator[None]:
    """A request leaves its language in the thread; the next test has its own."""
    translation.deactivate()
    yield
    translation.deactivate()


@pytest.fixture
def login_mode(settings) -> None:
    settings.ACCESS = "login"


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def owners_browser(login_mode: None, owner: User) -> Client:
    return browser_of(owner)


@pytest.fixture
def strangers_browser(login_mode: None, stranger: User) -> Client:
    return browser_of(stranger)


@pytest.fixture
def staff_browser(login_mode: None, staff: User) -> Client:
    return browser_of(staff)
