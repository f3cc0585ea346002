"""What belongs to a person: tokens for their programs, and the keys those have submitted under."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from knox.models import AbstractAuthToken


class Token(AbstractAuthToken):
    """A person's token for a program. The token itself is shown once; its hash is kept."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=100, help_text="What it is for.")
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="To the minute.")

    class Meta:
        ordering = ["-created"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_expired(self) -> bool:
        return self.expiry is not None and self.expiry <= timezone.now()


class SubmitKey(models.Model):
    """An `Idempotency-Key` under which a person's program has submitted a task, with the digest of what it sent."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False)
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    task_id = models.UUIDField(help_text="The task it made; it may be gone by now.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        # Serves the look-up, and lets one of two simultaneous submits win.
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="submit_key_once")]

    def __str__(self) -> str:
        return self.key
