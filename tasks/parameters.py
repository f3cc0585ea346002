"""Field types that a handler's parameters may have beside DRF's own: a file, several files."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers


@dataclass(frozen=True)
class StoredFile:
    """A file of a task, as a handler gets it: `open(file)` and `file.path` read it, `file.name` is for people."""

    id: uuid.UUID
    name: str
    path: Path
    size: int
    content_type: str = "application/octet-stream"

    def __fspath__(self) -> str:
        return os.fspath(self.path)


class FileParameter(serializers.Field[Any, Any, Any, Any]):
    """A file: an upload when a task is submitted, its id in the row, a StoredFile for the handler.

    `extensions` are the endings it may have (".csv"), `max_bytes` its largest size.
    """

    default_error_messages = {
        "invalid": _("Not a file: upload one, or give the id of a file of a task."),
        "extension": _("{name} is not of a type this takes: {extensions}."),
        "empty": _("{name} is empty."),
        "too_large": _("{name} has {size}; at most {limit} are taken."),
    }

    def __init__(
        self, *, extensions: Sequence[str] = (), max_bytes: int | None = None, allow_empty: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.extensions = tuple(extensions)
        self.max_bytes = max_bytes
        self.allow_empty = allow_empty

    @property
    def limit(self) -> int:
        """Bytes that a file may have."""
        return self.max_bytes or settings.MAX_UPLOAD_BYTES

    def to_internal_value(self, data: Any) -> UploadedFile[Any] | StoredFile | uuid.UUID:
        if isinstance(data, UploadedFile | StoredFile):
            return self.checked(data)
        try:
            # An id: whoever submits sees to it that the file may be used, and turns it into a StoredFile.
            return uuid.UUID(data)
        except (TypeError, ValueError, AttributeError):
            self.fail("invalid")

    def checked(self, file: UploadedFile[Any] | StoredFile) -> UploadedFile[Any] | StoredFile:
        name, size = file.name or "", file.size or 0
        if self.extensions and not name.lower().endswith(self.extensions):
            self.fail("extension", name=name, extensions=", ".join(self.extensions))
        if not size and not self.allow_empty:
            self.fail("empty", name=name)
        if size > self.limit:
            self.fail("too_large", name=name, size=filesizeformat(size), limit=filesizeformat(self.limit))
        return file

    def to_representation(self, value: Any) -> str:
        return str(getattr(value, "id", value))


class FilesParameter(serializers.ListField):
    """Several files, each as FileParameter takes it."""

    def __init__(self, *, extensions: Sequence[str] = (), max_bytes: int | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("child", FileParameter(extensions=extensions, max_bytes=max_bytes))
        super().__init__(**kwargs)

    @property
    def extensions(self) -> tuple[str, ...]:
        return self.child.extensions  # type: ignore[attr-defined]

    @property
    def limit(self) -> int:
        return self.child.limit  # type: ignore[attr-defined]

    def checked(self, file: UploadedFile[Any] | StoredFile) -> UploadedFile[Any] | StoredFile:
        return self.child.checked(file)  # type: ignore[attr-defined]

    def to_internal_value(self, data: Any) -> list[Any]:
        return super().to_internal_value([data] if isinstance(data, UploadedFile | StoredFile) else data)
