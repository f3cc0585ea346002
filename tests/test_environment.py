"""Settings are read from the environment as they stand there; what is wrong is told by its name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from taskhub import environment as env
from tests.hub import environment


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
