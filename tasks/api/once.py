"""`Idempotency-Key`: a submit that is sent again makes no second task."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from tasks import lifecycle
from tasks.accounts.models import SubmitKey
from tasks.lifecycle import Submission
from tasks.models import Task
from tasks.turnstile import turnstile

KEPT = timedelta(days=7)
LONGEST = 200


def submit_once(key: str, submission: Submission, by: User) -> tuple[Task, bool]:
    """The task that was submitted under this key, and whether it is an old one.

    Raises ValidationError if something else was submitted under it.
    """
    if len(key) > LONGEST:
        raise ValidationError({"Idempotency-Key": [_("At most %(limit)s characters.") % {"limit": LONGEST}]})
    digest = digest_of(submission)
    try:
        return known(key, digest, by) or (_submit_first(key, digest, by, submission), False)
    except IntegrityError:
        # The same submit at the same moment was faster, and its transaction is through now.
        if found := known(key, digest, by):
            return found
        raise


def known(key: str, digest: str, by: User) -> tuple[Task, bool] | None:
    used = SubmitKey.objects.filter(user=by, key=key).first()
    if used is None:
        return None
    if used.digest != digest:
        raise ValidationError({"Idempotency-Key": [_("Something else was submitted under this key.")]})
    task = Task.objects.filter(pk=used.task_id).first()
    if task is None:
        used.delete()  # the task is gone: the key is free
        return None
    return task, True


def _submit_first(key: str, digest: str, by: User, submission: Submission) -> Task:
    # Checked before the transaction: a long list takes seconds, and on SQLite nobody else could write.
    prepared = lifecycle.prepare(submission, by)
    try:
        with turnstile(), transaction.atomic():
            forget_old(user=by)
            # Before the task: who comes second fails here, and has stored nothing.
            SubmitKey.objects.create(user=by, key=key, digest=digest, task_id=prepared.task.pk)
            [task] = lifecycle.store([prepared], by)
    except BaseException:
        prepared.intake.discard()
        raise
    return task


def forget_old(**whose: Any) -> None:
    """Forget the keys whose time is over; by the clock also those of people who submit nothing any more."""
    SubmitKey.objects.filter(created_at__lt=timezone.now() - KEPT, **whose).delete()


def digest_of(submission: Submission) -> str:
    """Of everything that was sent, contents of files included."""
    digest = hashlib.sha256()

    def in_words(value: Any) -> str:
        if isinstance(value, UploadedFile):
            for chunk in value.chunks():
                digest.update(chunk)
            value.seek(0)
            return f"{value.name} {value.size}"
        return str(value)

    digest.update(json.dumps(vars(submission), sort_keys=True, default=in_words).encode())
    return digest.hexdigest()
