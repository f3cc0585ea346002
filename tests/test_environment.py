"""Settings are read from the environment as they stand there; what is wrong is told by its name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from django.conf import settings

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
