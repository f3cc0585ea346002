"""A mail server that campaigns go to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture
def mail_server(settings) -> Iterator[object]:
    pytest.importorskip("aiosmtpd", reason="requirements-dev.txt has it")
    from tests.handlers.mail.server import MailServer

    server = MailServer()
    server.controller.start()
    settings.MAIL_SERVER_SET = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 5
    settings.DEFAULT_FROM_EMAIL = "TaskHub <hub@example.org>"
    yield server
    server.controller.stop()
