"""How a message is handed over: into the task's outbox, or to a backend of Django's. `smtp` has the mail server."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.translation import gettext as _

from tasks.context import Fail, TaskContext

# Backends of Django's that take every message and send none.
KEEPERS = ("console", "dummy", "filebased", "locmem")


def keeper() -> str:
    """Which of them is set, if any: no mail leaves then. Where no server is named at all, it is "filebased"."""
    kind = settings.EMAIL_BACKEND.removeprefix("django.core.mail.backends.").split(".")[0]
    return kind if kind in KEEPERS else ""


class Outcome(Enum):
    SENT = "sent"
    REFUSED = "refused"  # for good
    LATER = "later"  # not now: it may be tried again
    UNKNOWN = "unknown"  # handed over, but nobody said what became of it


@dataclass(frozen=True)
class Verdict:
    """What became of one message, the answer in the words of whoever took or refused it, and the file it went to."""

    outcome: Outcome
    answer: str = ""
    file: uuid.UUID | None = None


class Courier(Protocol):
    """Whoever takes messages. `destination` says where they go, for people."""

    @property
    def destination(self) -> str: ...

    def open(self) -> None:
        """Be ready for the next message. Raises Fail where nothing can be sent at present, or at all."""

    def deliver(self, message: EmailMultiAlternatives, address: str) -> Verdict:
        """Hand over a message to its one recipient. Raises Fail, as `open`, where the message was not handed over."""

    def hang_up(self) -> None:
        """Called from another thread when the task is to stop: what is not handed over yet need not be waited for."""

    def close(self) -> None: ...


class Outbox:
    """Keeps each message as an `.eml` file of the task. Nothing leaves the machine."""

    def __init__(self, context: TaskContext) -> None:
        self.context = context

    @property
    def destination(self) -> str:
        return _("the outbox of this task; nothing leaves this machine")

    def open(self) -> None: ...

    def deliver(self, message: EmailMultiAlternatives, address: str) -> Verdict:
        try:
            file = self.context.save_file(f"{address}.eml", as_bytes(message))
        except OSError as error:
            raise Fail(_("The outbox cannot be written: %(error)s.") % {"error": error.strerror or error}) from error
        return Verdict(Outcome.SENT, _("Written to the outbox"), file)

    def hang_up(self) -> None: ...

    def close(self) -> None: ...


class BackendCourier:
    """Sends through any backend of Django's. What such a one cannot tell apart, it does not: an error is a refusal."""

    def __init__(self, backend: BaseEmailBackend) -> None:
        self.backend = backend

    @property
    def destination(self) -> str:
        kind = type(self.backend)
        return _("the mail backend %(name)s") % {"name": f"{kind.__module__}.{kind.__qualname__}"}

    def open(self) -> None:
        try:
            self.backend.open()
        except OSError as error:
            raise Fail(_("The mail backend cannot be reached: %(error)s.") % {"error": error}, retry=True) from error

    def deliver(self, message: EmailMultiAlternatives, address: str) -> Verdict:
        try:
            taken = self.backend.send_messages([message])
        except OSError as error:  # of the network: it may have gone out before
            return Verdict(Outcome.UNKNOWN, str(error))
        except Exception as error:  # noqa: BLE001 - a backend of somebody else's has errors of its own
            return Verdict(Outcome.REFUSED, str(error) or type(error).__name__)
        return Verdict(Outcome.SENT) if taken else Verdict(Outcome.REFUSED, _("The mail backend did not take it."))

    def hang_up(self) -> None: ...

    def close(self) -> None:
        self.backend.close()


def as_bytes(message: EmailMultiAlternatives) -> bytes:
    """The message as it goes over the wire."""
    mime: Any = message.message()  # Django's own class, which takes a line ending
    return bytes(mime.as_bytes(linesep="\r\n"))
