"""Settings are read from the environment as they stand there; what is wrong is told by its name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from taskhub import environment as env
from tests.hub import MANAGE, environment


def setting(expression: str, folder: Path, **variables: str) -> str:
    """What this expression gives in a process that reads the settings from these variables."""
    code = f"from taskhub import settings; print({expression}, end='')"
    own = environment(folder, **variables)
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=settings.BASE_DIR, env=own, check=True, capture_output=True, text=True).stdout


def test_the_database_lies_in_the_data_folder_whatever_its_name(tmp_path, monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    folder = tmp_path / "50%20 #1?"
    assert setting("settings.DATABASES['default']['NAME']", folder) == f"{folder}/taskhub.sqlite3"


def test_a_text_is_taken_as_it_stands(monkeypatch):
    monkeypatch.setenv("TASKHUB_ADMIN_PASSWORD", "$Sommer1")
    monkeypatch.setenv("Sommer1", "another")
    assert env.text("TASKHUB_ADMIN_PASSWORD") == "$Sommer1"


def test_a_secret_key_that_begins_with_a_dollar_is_kept(tmp_path):
    assert setting("settings.SECRET_KEY", tmp_path, TASKHUB_SECRET_KEY="$abc") == "$abc"


@pytest.mark.parametrize(("written", "read"), [("gpu, default", ["gpu", "default"]), (" a ,,", ["a"]), ("", [])])
def test_a_list_is_read_without_spaces_and_gaps(written, read, monkeypatch):
    monkeypatch.setenv("TASKHUB_QUEUES", written)
    assert env.texts("TASKHUB_QUEUES", ["default"]) == read


@pytest.mark.parametrize(
    ("name", "written", "said"),
    [
        ("TASKHUB_TIME_ZONE", "Foo", "must be a time zone"),
        ("TASKHUB_TIME_ZONE", "/etc/passwd", "must be a time zone"),
        ("TASKHUB_LOG_LEVEL", "foo", "must be one of: INFO"),
        ("TASKHUB_LANGUAGE", "xx", "must be one of: en, de"),
        ("TASKHUB_LEASE", "nan", "must be from 1 to"),
        ("TASKHUB_SHUTDOWN_GRACE", "inf", "must be from 0 to"),
        ("TASKHUB_HTTP_PORTS", "80,99999", "must be from 1 to 65535"),
        ("TASKHUB_KEEP_DAYS", "99999999999", "must be from 0 to 36500"),
        ("DATABASE_URL", "postgres://ann:secret@host:notaport/x", "must look like postgres://"),
        ("DATABASE_URL", "postgres://ann:sec/ret@host/x", "must look like postgres://"),
        ("EMAIL_URL", "foo", "must look like smtp"),
        ("EMAIL_URL", "smtp://ann:secret@host:notaport", "must look like smtp"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_its_name_and_without_its_password(name, written, said, tmp_path):
    variables = environment(tmp_path) | {name: written}
    ended = subprocess.run([*MANAGE, "check"], env=variables, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"{name} ")
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "sec" not in ended.stderr


def test_a_choice_may_be_written_in_any_letters(monkeypatch):
    monkeypatch.setenv("TASKHUB_LOG_LEVEL", "debug")
    assert env.one_of("TASKHUB_LOG_LEVEL", "INFO", "DEBUG") == "DEBUG"
