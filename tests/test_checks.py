"""What is refused at start."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tasks import checks
from tasks.checks import check_access, check_database, faults_of, filesystem_of
from tests.hub import MANAGE, environment

SQLITE = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": "/var/lib/taskhub/taskhub.sqlite3",
    "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"},
}
POSTGRESQL = {"ENGINE": "django.db.backends.postgresql", "NAME": "taskhub", "OPTIONS": {"keepalives_idle": 30}}


def refused(database: dict[str, object]) -> list[str | None]:
    return [message.id for message in faults_of(database)]


def test_our_own_settings_are_in_order():
    assert check_database() == []


@pytest.mark.parametrize(
    ("database", "expected"),
    [
        (SQLITE, []),
        (SQLITE | {"OPTIONS": {"init_command": "PRAGMA journal_mode=WAL;"}}, ["taskhub.E003"]),
        (SQLITE | {"OPTIONS": {"transaction_mode": "IMMEDIATE"}}, ["taskhub.E004"]),
        (POSTGRESQL, []),
        (POSTGRESQL | {"OPTIONS": {"pool": True}}, ["taskhub.E001"]),
        (POSTGRESQL | {"OPTIONS": {"pool": {"min_size": 2}}}, ["taskhub.E001"]),
    ],
)
def test_a_database_that_would_lose_work_is_refused(database, expected):
    assert refused(database) == expected


def test_an_sqlite_that_cannot_return_what_it_updated_is_refused(monkeypatch):
    monkeypatch.setattr(checks.sqlite3, "sqlite_version_info", (3, 34, 1))
    assert refused(SQLITE) == ["taskhub.E002"]


def test_an_sqlite_database_on_a_network_file_system_is_refused(monkeypatch):
    monkeypatch.setattr(checks, "filesystem_of", lambda path: "nfs4")
    assert refused(SQLITE) == ["taskhub.E005"]


def test_the_file_system_is_that_of_the_nearest_mount(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/a / ext4 rw 0 0\nserver:/x /srv nfs4 rw 0 0\n/dev/b /srv/my\\040disk xfs rw 0 0\n")
    kinds = [filesystem_of(Path(path), mounts) for path in ("/home/x", "/srv/x/y", "/srv/my disk/z")]
    assert kinds == ["ext4", "nfs4", "xfs"]


def test_the_checks_run_before_anything_is_started(tmp_path):
    pooled = environment(tmp_path, DATABASE_URL="postgres://nobody@127.0.0.1:1/none?pool=true")
    ended = subprocess.run([*MANAGE, "up", "--port", "0"], env=pooled, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "taskhub.E001" in ended.stderr


@pytest.mark.parametrize("url", ["mysql://user:secret@host/name", "nonsense"])
def test_another_kind_of_database_is_refused_without_telling_its_password(url, tmp_path):
    ended = subprocess.run(
        [*MANAGE, "check"], env=environment(tmp_path, DATABASE_URL=url), capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (
        1,
        "DATABASE_URL must begin with sqlite:/// or postgres://; TaskHub runs on these two.\n",
    )


@pytest.mark.parametrize(
    ("access", "hosts", "refused"),
    [("local", ["*"], True), ("local", ["localhost"], False), ("login", ["*"], False)],
)
def test_local_mode_does_not_start_for_any_host_name(settings, access, hosts, refused):
    settings.ACCESS, settings.ALLOWED_HOSTS = access, hosts
    assert [fault.id for fault in check_access()] == (["taskhub.E006"] if refused else [])


def test_no_other_account_can_read_the_database(tmp_path):
    tmp_path.chmod(0o755)
    variables = environment(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path}/taskhub.sqlite3")
    subprocess.run([*MANAGE, "migrate", "--verbosity=0"], env=variables, check=True, timeout=120)
    assert (tmp_path / "taskhub.sqlite3").stat().st_mode & 0o777 == 0o600
