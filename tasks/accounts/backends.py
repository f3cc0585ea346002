"""Who signs in and what they may: attempts are counted, and permissions read in one go."""

from __future__ import annotations

from typing import Any

from axes.backends import AxesStandaloneBackend
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission
from django.db.models import Q
from django.http import HttpRequest


class LimitedAttempts(AxesStandaloneBackend):
    """Counts what comes by request; Django's test client signs in without one."""

    def authenticate(self, request: HttpRequest | None, username: str = "", password: str = "", **kwargs: Any) -> None:
        if request is not None:
            super().authenticate(request, username, password, **kwargs)


class Permissions(ModelBackend):
    """Django's own, but one query for a person's permissions instead of two: each poll of each open page needs them."""

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        if user_obj.is_superuser or not user_obj.is_active or user_obj.is_anonymous or obj is not None:
            return super().get_all_permissions(user_obj, obj)
        if not hasattr(user_obj, "_perm_cache"):
            theirs = Permission.objects.filter(Q(user=user_obj.pk) | Q(group__user=user_obj.pk))
            names = theirs.order_by().values_list("content_type__app_label", "codename")
            user_obj._perm_cache = {f"{app}.{name}" for app, name in names}
        return set(user_obj._perm_cache)


def client_address(request: HttpRequest) -> str:
    """The address an attempt comes from. Only a proxy on this machine is believed about whom it speaks for."""
    peer = request.META.get("REMOTE_ADDR", "")
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    if forwarded and peer in {"127.0.0.1", "::1", ""}:
        return forwarded.rpartition(",")[2].strip()
    return peer
