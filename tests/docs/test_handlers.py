"""The example of docs/handlers.md is whole: written to a folder as it stands there, it passes its own tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from django.conf import settings

PAGE = Path(settings.BASE_DIR) / "docs/handlers.md"
# A file's name on a line of its own, then its content.
FILE = re.compile(r"^`(checksums/[\w./]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def write_example(folder: Path) -> list[str]:
    files = FILE.findall(PAGE.read_text())
    for name, content in [("checksums/__init__.py", ""), *files]:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return [name for name, _ in files]


def test_the_example_is_a_whole_app_that_passes_its_own_tests(tmp_path):
    written = write_example(tmp_path)
    assert written == [
        "checksums/handlers.py",
        "checksums/templates/checksums/result.html",
        "checksums/functions.py",
        "checksums/tests.py",
    ]
    own = {
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{settings.BASE_DIR}",
        "TASKHUB_APPS": "checksums",
        "TASKHUB_DATA_DIR": str(tmp_path / "var"),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
    }
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--ds", "taskhub.settings"]
    run = subprocess.run(
        [*command, str(tmp_path / "checksums/tests.py")],
        cwd=settings.BASE_DIR,
        env=os.environ | own,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "9 passed" in run.stdout
