"""Reads the settings' variables. A wrong value stops the start with its variable's name."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ImproperlyConfigured
from environ import Env

LARGEST = 1_000_000_000


def text(name: str, default: str = "") -> str:
    """The variable's value as it stands: a `$` in a password is a `$`."""
    return os.environ.get(name, default)


def texts(name: str, default: Iterable[str] = ()) -> list[str]:
    """The variable's value as texts, separated by commas."""
    parts = text(name, ",".join(default)).split(",")
    return [part.strip() for part in parts if part.strip()]


def one_of(name: str, *choices: str) -> str:
    """The variable's value, the first choice by default; capital and small letters are the same."""
    written = text(name, choices[0])
    for choice in choices:
        if choice.lower() == written.lower():
            return choice
    raise ImproperlyConfigured(f"{name} is {written!r}; it must be one of: {', '.join(choices)}.")


def number(name: str, default: float, *, least: float = 0, most: float = LARGEST, kind: type = int) -> Any:
    """The variable's value as a number from `least` to `most`."""
    written = text(name, str(default))
    try:
        value = kind(written)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {written!r}; it must be a number.") from None
    _check_bounds(name, written, [value], least, most)
    return value


def numbers(name: str, default: str, *, least: int = 0, most: int = LARGEST) -> list[int]:
    """The variable's value as whole numbers from `least` to `most`, separated by commas."""
    written = text(name, default)
    try:
        values = [int(part) for part in written.split(",") if part.strip()]
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {written!r}; it must be numbers separated by commas.") from None
    _check_bounds(name, written, values, least, most)
    return values


def _check_bounds(name: str, written: str, values: Iterable[float], least: float, most: float) -> None:
    if not all(least <= value <= most for value in values):  # what is no number (nan) is on neither side
        raise ImproperlyConfigured(f"{name} is {written}; it must be from {least} to {most}.")


def flag(name: str, *, default: bool = False) -> bool:
    """The variable's value as a boolean."""
    written = text(name, str(default)).strip().lower()
    if written in {"1", "true", "yes", "on"}:
        return True
    if written in {"0", "false", "no", "off", ""}:
        return False
    raise ImproperlyConfigured(f"{name} is {written!r}; it must be true or false.")


def time_zone(name: str, default: str) -> str:
    """The variable's value as the name of a time zone."""
    written = text(name, default)
    try:
        ZoneInfo(written)
    except (KeyError, ValueError, OSError):
        raise ImproperlyConfigured(f"{name} is {written!r}; it must be a time zone, such as Europe/Zurich.") from None
    return written


def database(name: str, otherwise: Path) -> dict[str, Any]:
    """Django's description of the database at the variable's URL; without one, of the SQLite file `otherwise`.

    No sentence repeats the URL: it may hold a password.
    """
    if name not in os.environ:
        # Not by a URL: in the path `#`, `?` and `%` stand for themselves.
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": otherwise}
    if not text(name).startswith(("sqlite:///", "postgres://", "postgresql://")):
        raise ImproperlyConfigured(f"{name} must begin with sqlite:/// or postgres://; TaskHub runs on these two.")
    try:
        return Env.db_url_config(text(name))
    except ValueError:
        raise ImproperlyConfigured(f"{name} must look like postgres://user:password@host:5432/name.") from None


def mail_server(name: str) -> dict[str, Any]:
    """Django's settings for the mail server at the variable's URL."""
    try:
        return Env.email_url_config(text(name))
    except (ImproperlyConfigured, ValueError):
        raise ImproperlyConfigured(f"{name} must look like smtp+tls://user:password@host:587.") from None
