"""A mail server on a loopback port that answers as a test asks: it refuses, puts off, stalls, or drops the connection."""

from __future__ import annotations

import asyncio
import email
import email.policy
import socket
from collections import defaultdict
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

DROP = "drop"


class MailServer:
    """What it took is in `messages`, by recipient. `at_rcpt` and `at_data` say what it answers a recipient there.

    An entry is a list of answers, one for each time: an answer of SMTP, DROP, or a function to be called first.
    """

    def __init__(self) -> None:
        self.messages: dict[str, list[EmailMessage]] = defaultdict(list)
        self.at_rcpt: dict[str, list[str | Callable[[], Any]]] = {}
        self.at_data: dict[str, list[str | Callable[[], Any]]] = {}
        self.at_mail: str | None = None
        self.connections = 0
        self.controller = Controller(
            self, hostname="127.0.0.1", port=free_port(), auth_require_tls=False, authenticator=nobody
        )

    @property
    def port(self) -> int:
        return self.controller.port

    @property
    def count(self) -> int:
        return sum(len(messages) for messages in self.messages.values())

    async def handle_EHLO(self, server, session, envelope, hostname, responses):  # noqa: N802 - aiosmtpd's name
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802 - aiosmtpd's name
        if self.at_mail:
            return self.at_mail
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - aiosmtpd's name
        if answer := await self._answer(self.at_rcpt, address, server):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's name
        [address] = envelope.rcpt_tos
        answers = self.at_data.get(address)
        if not answers or answers[0] == DROP:  # a dropped one was taken all the same
            self.messages[address].append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return await self._answer(self.at_data, address, server) or "250 taken"

    async def _answer(self, answers, address, server):
        if not answers.get(address):
            return None
        answer = answers[address].pop(0)
        if callable(answer):
            await asyncio.get_running_loop().run_in_executor(None, answer)
            return None
        if answer == DROP:
            server.transport.abort()
            return "421 gone"
        return answer


def nobody(server, session, envelope, mechanism, credentials) -> AuthResult:
    """Whoever gives a password gives a wrong one."""
    return AuthResult(success=False, handled=False)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
