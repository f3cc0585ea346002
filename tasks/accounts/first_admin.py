"""The first admin of a hub that people sign in to, made from the environment: once, and never overwritten."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q

LOCAL_USER = "local"


def make_first_admin(**kwargs: Any) -> None:
    """Called after each migrate. With an admin there already, whoever made it, this does nothing."""
    email, password = settings.ADMIN_EMAIL, settings.ADMIN_PASSWORD
    if settings.ACCESS != "login" or not (email and password):
        return
    there = Q(is_superuser=True) & ~Q(username=LOCAL_USER) | Q(username=email) | Q(email__iexact=email)
    if not User.objects.filter(there).exists():
        User.objects.create_superuser(email, email, password)
