"""Reads the settings' variables. A wrong value stops the start with its variable's name."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str = "") -> str:
    """The variable's value as it stands: a `$` in a password is a `$`."""
    return os.environ.get(name, default)


def texts(name: str, default: Iterable[str] = ()) -> list[str]:
    """The variable's value as texts, separated by commas."""
    parts = text(name, ",".join(default)).split(",")
    return [part.strip() for part in parts if part.strip()]


def one_of(name: str, *choices: str) -> str:
    """The variable's value, the first choice by default."""
    value = text(name, choices[0])
    if value not in choices:
        raise ImproperlyConfigured(f"{name} is {value!r}; it must be one of: {', '.join(choices)}.")
    return value


def number(name: str, default: float, *, least: float = 0, kind: type = int) -> Any:
    """The variable's value as a number of at least `least`."""
    written = text(name, str(default))
    try:
        value = kind(written)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {written!r}; it must be a number.") from None
    if value < least:
        raise ImproperlyConfigured(f"{name} is {written}; it must be at least {least:g}.")
    return value


def numbers(name: str, default: str, *, least: int = 0) -> list[int]:
    """The variable's value as whole numbers, separated by commas."""
    written = text(name, default)
    try:
        values = [int(part) for part in written.split(",") if part.strip()]
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {written!r}; it must be numbers separated by commas.") from None
    if any(value < least for value in values):
        raise ImproperlyConfigured(f"{name} is {written}; each number must be at least {least}.")
    return values


def flag(name: str, *, default: bool = False) -> bool:
    """The variable's value as a boolean."""
    written = text(name, str(default)).strip().lower()
    if written in {"1", "true", "yes", "on"}:
        return True
    if written in {"0", "false", "no", "off", ""}:
        return False
    raise ImproperlyConfigured(f"{name} is {written!r}; it must be true or false.")
