"""Stops an upload that is too large before it fills the disk."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler

# What a form may have beside its files: the boundaries, the names, the fields.
FORM = 10 * 1024 * 1024


class LimitedUploadHandler(FileUploadHandler):
    """The first of the upload handlers: counts what comes through, keeps nothing itself.

    Of strangers nothing is taken: a form is read for its CSRF token before anybody is asked who they are.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.received = 0

    @property
    def most(self) -> int:
        is_stranger = self.request is not None and not self.request.user.is_authenticated
        return 0 if is_stranger else settings.MAX_UPLOAD_BYTES

    def handle_raw_input(self, input_data: Any, META: Any, content_length: int, *args: Any, **kwargs: Any) -> None:  # noqa: N803
        if content_length > self.most + FORM:
            raise RequestDataTooBig("The upload is larger than TASKHUB_MAX_UPLOAD_MB.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self.received += len(raw_data)
        if self.received > self.most:
            raise RequestDataTooBig("The upload is larger than TASKHUB_MAX_UPLOAD_MB.")
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None
