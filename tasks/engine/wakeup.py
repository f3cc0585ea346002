"""Know that there may be work, without asking the table.

SQLite, one host: each cluster listens on a datagram socket in the data folder, to which submitters send after commit.
PostgreSQL: each cluster has one LISTEN connection; submitters NOTIFY after commit. Either may lose a message: looking
once a second is the last fallback, so a lost one costs a second and never a task.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, connections
from django.utils import timezone

CHANNEL = "taskhub"
EVERYBODY = 1000  # as `ready`: wake all


@dataclass(frozen=True)
class News:
    """What may have happened: `ready` tasks can be taken, the next timed one is `due`, or something was cancelled."""

    ready: int = 0
    due: datetime | None = None
    cancelled: bool = False

    def encode(self) -> str:
        return json.dumps([self.ready, self.due and self.due.timestamp(), self.cancelled])

    @classmethod
    def decode(cls, text: str | bytes) -> News:
        """Raises ValueError for what is no news."""
        try:
            ready, due, cancelled = json.loads(text)
            return cls(int(ready), due and datetime.fromtimestamp(due).astimezone(), bool(cancelled))
        except (TypeError, OverflowError) as error:
            raise ValueError(text) from error


def tell(news: News) -> None:
    """Tell every cluster. Called after commit; never raises: a lost message costs a second."""
    with contextlib.suppress(DatabaseError, InterfaceError, OSError):
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, news.encode()])
        else:
            _send_to_sockets(news.encode().encode())


def socket_folder() -> Path:
    return settings.DATA_DIR / "clusters"


def _send_to_sockets(message: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        for path in socket_folder().glob("*.sock"):
            # Full, gone or left behind by a killed cluster: the fallback covers it.
            with contextlib.suppress(OSError), _short(path) as address:
                sender.sendto(message, address)


@contextlib.contextmanager
def _short(path: Path) -> Any:
    """The socket's address in the 108 bytes that the kernel takes, however deep the data folder lies."""
    if len(str(path)) < 100 or sys.platform != "linux":
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class Ear(Protocol):
    """How a sentinel hears of news."""

    def fileno(self) -> int | None:
        """What to wait on; None: nothing, look again soon."""

    def hear(self) -> Iterable[News]: ...

    def close(self) -> None: ...


class SocketEar:
    """A datagram socket in the data folder, and SQLite's own change counter in case a message was lost."""

    patience = 0.1  # seconds between looks at the change counter

    def __init__(self, name: str) -> None:
        self.path = socket_folder() / f"{name}.sock"
        self.path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        with _short(self.path) as address:
            self._socket.bind(address)
        self._version: int | None = None

    def fileno(self) -> int:
        return self._socket.fileno()

    def hear(self) -> Iterable[News]:
        heard = False
        with contextlib.suppress(BlockingIOError):
            while True:
                with contextlib.suppress(ValueError):
                    yield News.decode(self._socket.recv(4096))
                    heard = True
        if not heard and self._changed():
            yield News(ready=1, cancelled=True)

    def _changed(self) -> bool:
        """Whether another connection has committed since the last look (SQLite's PRAGMA data_version)."""
        with contextlib.suppress(DatabaseError, InterfaceError), connection.cursor() as cursor:
            cursor.execute("PRAGMA data_version")
            [version] = cursor.fetchone()
            changed, self._version = version != self._version, version
            return changed
        return False

    def close(self) -> None:
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def before_fork(self) -> None:
        self._version = None

    def after_fork(self) -> None: ...


class ListenEar:
    """One LISTEN connection of PostgreSQL, of its own: the sentinel's other statements must not wait behind it."""

    patience = 1.0

    def __init__(self, name: str) -> None:
        self._connection: Any = None
        self._missed = False

    def _open(self) -> Any:
        if self._connection is None:
            fresh = connections.create_connection("default")
            fresh.ensure_connection()
            fresh.set_autocommit(True)
            with fresh.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
            self._connection, self._missed = fresh, True
        return self._connection.connection

    def fileno(self) -> int | None:
        with contextlib.suppress(*_driver_errors()):
            return self._open().fileno()
        self.close()
        return None

    def hear(self) -> Iterable[News]:
        try:
            opened = self._open()
            if self._missed:  # while it was closed, anything may have been told
                self._missed = False
                yield News(ready=EVERYBODY, due=timezone.now(), cancelled=True)
            for notice in opened.notifies(timeout=0):
                with contextlib.suppress(ValueError):
                    yield News.decode(notice.payload)
        except _driver_errors():
            self.close()

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(*_driver_errors()):
                self._connection.close()
            self._connection = None

    # No open socket crosses a fork.
    before_fork = close

    def after_fork(self) -> None:
        self.fileno()


def _driver_errors() -> tuple[type[Exception], ...]:
    import psycopg

    return (psycopg.Error, DatabaseError, InterfaceError)


def get_ear(name: str) -> SocketEar | ListenEar:
    """How a cluster of this name hears of news from the configured database."""
    return ListenEar(name) if connection.vendor == "postgresql" else SocketEar(name)
