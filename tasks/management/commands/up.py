"""`manage.py up`: makes what is missing, then runs the web server and the workers until it is stopped."""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
import struct
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from tasks.management.supervisor import Part, Supervisor

SILENCE = 60  # seconds
PATIENCE = (
    f"Stopping: running tasks have {settings.SHUTDOWN_GRACE:g} seconds to end, then go back into the queue. "
    "Ctrl-C once more makes it quick."
)
# What gunicorn needs to end beyond its graceful_timeout of 10 s, see taskhub/gunicorn.py.
WEB_GRACE = 15.0


class Command(BaseCommand):
    help = "Starts TaskHub: the web server and the workers. Ctrl-C stops both."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="The address to listen at (127.0.0.1).")
        parser.add_argument("--port", type=int, default=8000, help="The port to listen at (8000); 0: any free one.")
        parser.add_argument(
            "--workers", type=int, default=settings.WORKERS, help="How many tasks run at once (TASKHUB_WORKERS)."
        )

    def handle(self, *args: Any, host: str, port: int, workers: int, **options: Any) -> None:
        if workers < 1:
            raise CommandError("--workers must be at least 1.")
        if not 0 <= port <= 65_535:
            raise CommandError("--port must be from 0 to 65535.")
        with only_one(settings.DATA_DIR), listening(host, port) as listener:
            prepare()
            supervisor = Supervisor(parts(listener, workers), self.say, PATIENCE)
            self.say(f"TaskHub is at {address(listener)}  (Ctrl-C stops it)")
            self.say(f"Its data is in {settings.DATA_DIR}")
            supervisor.run()
            self.say("TaskHub has stopped.")

    def say(self, sentence: str) -> None:
        self.stdout.write(sentence)
        self.stdout.flush()


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Keep the data folder to this one process. The kernel gives it free however the process ends."""
    with (folder / "up.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(
                f"TaskHub is up already on the data folder {folder}. "
                "Stop that one first, or set TASKHUB_DATA_DIR to another folder."
            ) from None
        yield


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """The socket that the web server serves. It is ours, so that the port stays ours when that process dies."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, OverflowError) as error:
        raise CommandError(f"--host {host} --port {port} is no address to listen at: {error}.") from None
    refuse_strangers(str(where[0]))
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Its connections inherit this: who falls silent in the middle of a request loses it, and we no thread.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", SILENCE, 0))
        try:
            listener.bind(where)
            listener.listen(1024)
        except OSError as error:
            raise CommandError(
                f"Port {port} of {host} cannot be had ({os.strerror(error.errno or 0)}). "
                "Stop what uses it, or choose another with --port."
            ) from None
        yield listener


def refuse_strangers(host: str) -> None:
    """In local mode whoever reaches the port is let in, so only this machine may reach it."""
    if settings.ACCESS == "local" and not ipaddress.ip_address(host.partition("%")[0]).is_loopback:
        raise CommandError(
            f"--host {host} would let other machines in, and TASKHUB_ACCESS=local asks nobody for a password. "
            "Set TASKHUB_ACCESS=login first."
        )


def address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def prepare() -> None:
    """The database at its newest migration, the static files where the web server finds them."""
    try:
        with migrating_alone():
            call_command("migrate", interactive=False, verbosity=0)
    except DatabaseError as error:
        raise CommandError(f"The database of DATABASE_URL cannot be used: {str(error).strip()}") from error
    finally:
        connection.close()
    try:
        call_command("collectstatic", interactive=False, verbosity=0)
    except OSError as error:
        raise CommandError(
            f"The static files cannot be written to {settings.STATIC_ROOT}: {error.strerror}."
        ) from error


@contextmanager
def migrating_alone() -> Iterator[None]:
    """Several machines that start at the same moment migrate one after the other."""
    if connection.vendor != "postgresql":
        yield  # one data folder, one `up`
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext('taskhub migrate'))")
        yield
        cursor.execute("SELECT pg_advisory_unlock(hashtext('taskhub migrate'))")


def parts(listener: socket.socket, workers: int) -> list[Part]:
    """The web server, which serves the listener, and the cluster."""
    base: Path = settings.BASE_DIR
    socket_number = listener.fileno()
    gunicorn = ["-m", "gunicorn", "--config", str(base / "taskhub" / "gunicorn.py"), "taskhub.wsgi"]
    cluster = [str(base / "manage.py"), "qcluster", "--workers", str(workers)]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(base), os.environ.get("PYTHONPATH")])),
        "TMPDIR": str(settings.TEMPORARY_DIR),  # libvips and others that ask no setting of ours
    }
    return [
        Part(
            "web server",
            [sys.executable, *gunicorn, "--bind", f"fd://{socket_number}"],
            environment,
            grace=WEB_GRACE,
            descriptors=(socket_number,),
        ),
        Part("cluster", [sys.executable, *cluster], environment, grace=settings.SHUTDOWN_GRACE + 5),
    ]
