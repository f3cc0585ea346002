"""Tokens for people's programs: made, used, revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.utils import timezone
from knox.auth import TokenAuthentication as KnoxAuthentication

from tasks.accounts import audit
from tasks.accounts.models import Token

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# Writing each use down would make every read by API a write.
REMEMBER_USE_EVERY = timedelta(minutes=1)


class TokenAuthentication(KnoxAuthentication):
    """`Authorization: Token …`. Also keeps when a token was last used."""

    def validate_user(self, token: Token) -> tuple[User, Token]:
        user, token = super().validate_user(token)
        now = timezone.now()
        stale = Q(last_used_at=None) | Q(last_used_at__lt=now - REMEMBER_USE_EVERY)
        if token.last_used_at is None or token.last_used_at < now - REMEMBER_USE_EVERY:
            Token.objects.filter(stale, pk=token.pk).update(last_used_at=now)
        return user, token


def make(user: User, name: str, days: int | None) -> tuple[Token, str]:
    """A new token and its text, which is not kept anywhere. `days`: until it expires; None: never."""
    expiry = None if days is None else timedelta(days=days)
    token, text = Token.objects.create(user, expiry=expiry, name=name)
    audit.made_token(user, token)
    return token, text


def revoke(user: User, public_id: Any) -> bool:
    """Whether there was such a token of this person."""
    token = Token.objects.filter(user=user, public_id=public_id).first()
    if token is None:
        return False
    audit.revoked_token(user, token)
    token.delete()
    return True
