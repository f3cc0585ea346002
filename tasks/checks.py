"""Refuses at start what TaskHub cannot run on, each time with the reason."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

# The first SQLite whose UPDATE can return the rows it changed, as a claim does.
LEAST_SQLITE = (3, 35, 0)
NETWORK_FILESYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"}


def check_database(app_configs: Any = None, **options: Any) -> list[CheckMessage]:
    return faults_of(settings.DATABASES["default"])


def check_access(app_configs: Any = None, **options: Any) -> list[CheckMessage]:
    """In local mode the host names are a lock of their own: see tasks/access.py."""
    if settings.ACCESS != "local" or "*" not in settings.ALLOWED_HOSTS:
        return []
    return [
        Error(
            "In local mode TASKHUB_ALLOWED_HOSTS cannot be `*`: a web page elsewhere could give this machine a name of "
            "its own and read everything here.",
            hint="Name the hosts, or set TASKHUB_ACCESS=login.",
            id="taskhub.E006",
        )
    ]


def faults_of(database: Mapping[str, Any]) -> list[CheckMessage]:
    """What is wrong with these settings of a database; it is not asked anything."""
    chosen = database.get("OPTIONS", {})
    if database["ENGINE"].endswith(".sqlite3"):
        return [*_sqlite(chosen), *_place(Path(database["NAME"]))]
    return list(_postgresql(chosen))


def _postgresql(chosen: Mapping[str, Any]) -> Iterator[Error]:
    if chosen.get("pool"):
        yield Error(
            "The PostgreSQL option `pool` cannot be used: a worker forked from a process that has a pool shares its "
            "sockets, and each then reads answers meant for the other.",
            hint="Leave the option out: connections are kept open without it.",
            id="taskhub.E001",
        )


def _sqlite(chosen: Mapping[str, Any]) -> Iterator[Error]:
    if sqlite3.sqlite_version_info < LEAST_SQLITE:
        yield Error(
            f"SQLite {sqlite3.sqlite_version} is too old: TaskHub needs {'.'.join(map(str, LEAST_SQLITE))}.",
            hint="Use a newer Python, or PostgreSQL.",
            id="taskhub.E002",
        )
    if chosen.get("transaction_mode") != "IMMEDIATE":
        yield Error(
            "SQLite needs the option `transaction_mode: IMMEDIATE`: a transaction that reads first and writes while "
            "another process does fails at once, whatever the timeout.",
            id="taskhub.E003",
        )
    if "journal_mode=wal" not in chosen.get("init_command", "").replace(" ", "").lower():
        yield Error(
            "SQLite needs `PRAGMA journal_mode=WAL` in its option `init_command`: without it pages and workers wait "
            "for each other.",
            id="taskhub.E004",
        )


def _place(database: Path) -> Iterator[Error]:
    if (kind := filesystem_of(database)) in NETWORK_FILESYSTEMS:
        yield Error(
            f"The SQLite database {database} lies on a network file system ({kind}): its processes share memory "
            "through a file beside it, which works on a local disk only.",
            hint="Set TASKHUB_DATA_DIR to a folder on a local disk, or use PostgreSQL.",
            id="taskhub.E005",
        )


def filesystem_of(path: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The kind of file system a path lies on; empty where the kernel does not tell."""
    if not mounts.exists():
        return ""
    known = {}
    for line in mounts.read_text(errors="replace").splitlines():
        _, mounted_at, kind, *_ = line.split()
        known[Path(mounted_at.replace("\\040", " "))] = kind
    return next((known[folder] for folder in (path, *path.parents) if folder in known), "")
