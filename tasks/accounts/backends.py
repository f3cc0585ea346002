"""Sign-in attempts are counted, and too many make a name wait."""

from __future__ import annotations

from typing import Any

from axes.backends import AxesStandaloneBackend
from django.http import HttpRequest


class LimitedAttempts(AxesStandaloneBackend):
    """Counts what comes by request; Django's test client signs in without one."""

    def authenticate(self, request: HttpRequest | None, username: str = "", password: str = "", **kwargs: Any) -> None:
        if request is not None:
            super().authenticate(request, username, password, **kwargs)


def client_address(request: HttpRequest) -> str:
    """The address an attempt comes from. Only a proxy on this machine is believed about whom it speaks for."""
    peer = request.META.get("REMOTE_ADDR", "")
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    if forwarded and peer in {"127.0.0.1", "::1", ""}:
        return forwarded.rpartition(",")[2].strip()
    return peer
