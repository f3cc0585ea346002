"""Hands messages to a mail server, one connection for many, and knows at each moment whether one was handed over.

Django's backend opens and closes the connection; the dialogue is spoken here, since its `send_messages` does not tell
a message that was never handed over from one whose answer was lost.
"""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import time

from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend
from django.core.mail.message import sanitize_address
from django.utils.translation import gettext as _

from tasks.context import Fail
from tasks.handlers.mail.delivery import Outcome, Verdict, as_bytes

RENEW_AFTER = 100  # messages: servers limit how many one connection may bring
IDLE = 5.0  # seconds after which a connection is asked whether it still lives
CLOSING = 421
TOO_LARGE = 552
LINE_START = re.compile(rb"(?m)^\.")


class SmtpCourier:
    def __init__(self, backend: EmailBackend) -> None:
        self.backend = backend
        self.brought = 0
        self.last_used = 0.0
        self.handed_over = False

    @property
    def destination(self) -> str:
        return _("the mail server %(host)s") % {"host": self._host}

    @property
    def _host(self) -> str:
        return f"{self.backend.host}:{self.backend.port or smtplib.SMTP_PORT}"

    def open(self) -> None:
        if self.backend.connection is not None and not self._is_fresh():
            self.close()
        try:
            if self.backend.open():
                self.brought = 0
                # A message leaves in two writes; the second must not wait for the first's acknowledgement.
                self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # type: ignore[union-attr]
            self._connection.ehlo_or_helo_if_needed()
        except smtplib.SMTPAuthenticationError as error:
            self._drop()
            raise Fail(_("The mail server refuses our name and password: %s") % in_words(error)) from error
        except OSError as error:
            self._drop()
            told = {"host": self._host, "error": in_words(error)}
            raise Fail(_("No connection to the mail server %(host)s: %(error)s") % told, retry=True) from error
        self.last_used = time.monotonic()

    def _is_fresh(self) -> bool:
        if self.brought >= RENEW_AFTER:
            return False
        if time.monotonic() - self.last_used < IDLE:
            return True
        with contextlib.suppress(OSError):
            return self._connection.noop()[0] == 250
        return False

    @property
    def _connection(self) -> smtplib.SMTP:
        connection = self.backend.connection
        if connection is None:
            raise smtplib.SMTPServerDisconnected("not connected")
        return connection

    def deliver(self, message: EmailMultiAlternatives, address: str) -> Verdict:
        self.handed_over = False
        try:
            verdict = self._converse(message)
        except OSError as error:  # smtplib's own errors among them
            self._drop()
            if self.handed_over:
                told = {"error": in_words(error)}
                return Verdict(Outcome.UNKNOWN, _("The message was handed over, but not answered: %(error)s") % told)
            return Verdict(Outcome.LATER, in_words(error))
        self.brought += 1
        self.last_used = time.monotonic()
        return verdict

    def _converse(self, message: EmailMultiAlternatives) -> Verdict:
        """One message, step by step (RFC 5321, section 3.3)."""
        connection, content = self._connection, LINE_START.sub(b"..", as_bytes(message))
        code, words = connection.mail(_address(message.from_email), self._options(content))
        if code != 250:
            return self._no_to_sender(code, words)
        code, words = connection.rcpt(_address(message.to[0]))
        if code not in (250, 251):
            return self._no(code, words)
        code, words = connection.docmd("DATA")
        if code != 354:
            return self._no(code, words)
        connection.send(content if content.endswith(b"\r\n") else content + b"\r\n")
        # From the next line on the server may have taken the message, whatever becomes of the connection.
        self.handed_over = True
        connection.send(b".\r\n")
        code, words = connection.getreply()
        if not 200 <= code < 600:
            raise smtplib.SMTPServerDisconnected("the answer is not of SMTP")
        self.handed_over = False
        return Verdict(Outcome.SENT, _answer(code, words)) if code < 300 else self._no(code, words)

    def _options(self, content: bytes) -> list[str]:
        offered = {"size": f"size={len(content)}", "8bitmime": "body=8bitmime"}
        return [option for name, option in offered.items() if self._connection.has_extn(name)]

    def _no(self, code: int, words: bytes) -> Verdict:
        """A refusal; the connection is made ready for the next message."""
        try:
            if code == CLOSING or not 200 <= code < 600 or self._connection.rset()[0] != 250:
                self._drop()
        except OSError:
            self._drop()
        return Verdict(Outcome.REFUSED if 500 <= code < 600 else Outcome.LATER, _answer(code, words))

    def _no_to_sender(self, code: int, words: bytes) -> Verdict:
        verdict = self._no(code, words)
        if verdict.outcome is Outcome.REFUSED and code != TOO_LARGE:
            raise Fail(_("The mail server refuses us as the sender: %(answer)s") % {"answer": verdict.answer})
        return verdict

    def hang_up(self) -> None:
        connection = self.backend.connection
        if connection is not None and connection.sock is not None and not self.handed_over:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _drop(self) -> None:
        """Let go of a connection that is broken, or may be."""
        if self.backend.connection is not None:
            self.backend.connection.close()
            self.backend.connection = None

    def close(self) -> None:
        """Take leave of the server."""
        try:
            self.backend.close()
        except OSError:
            self._drop()


def _address(address: str) -> str:
    return str(sanitize_address(address, "utf-8")).strip()


def _answer(code: int, words: bytes) -> str:
    """The server's own words, on one line."""
    return " ".join(f"{code} {words.decode('utf-8', 'replace')}".split())[:500]


def in_words(error: OSError) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        words = error.smtp_error
        return _answer(error.smtp_code, words if isinstance(words, bytes) else str(words).encode())
    return str(error.strerror or error) or type(error).__name__
