"""What people do with their accounts leaves a line: Django's own LogEntry, as for tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

from tasks.accounts.models import Token

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def note(user: User, about: Model, action: int, message: str) -> None:
    key = about.public_id if isinstance(about, Token) else about.pk
    LogEntry.objects.create(
        user_id=user.pk,
        content_type=ContentType.objects.get_for_model(about),
        object_id=str(key),
        object_repr=str(about)[:200],
        action_flag=action,
        change_message=message,
    )


def signed_in(sender: Any, user: User, **kwargs: Any) -> None:
    note(user, user, CHANGE, "Signed in")


def signed_out(sender: Any, user: User | None, **kwargs: Any) -> None:
    if user is not None:
        note(user, user, CHANGE, "Signed out")


def changed_password(user: User) -> None:
    note(user, user, CHANGE, "Changed the password")


def made_token(user: User, token: Token) -> None:
    note(user, token, ADDITION, "Made a token")


def revoked_token(user: User, token: Token) -> None:
    note(user, token, DELETION, "Revoked a token")
