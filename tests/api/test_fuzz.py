"""The running server under requests that nobody thought of: no fault, and no answer that is not documented."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SECONDS = 60
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
]


# A part of a JSON file is no JSON.
CONFIGURATION = """
[[operations]]
include-operation-id = "downloadFile"
checks.response_schema_conformance.enabled = false
"""


def program() -> str | None:
    beside = Path(sys.executable).with_name("schemathesis")
    return str(beside) if beside.exists() else shutil.which("schemathesis")


@pytest.mark.skipif(program() is None, reason="requirements-dev.txt has schemathesis")
def test_no_request_breaks_the_api_or_gets_an_answer_that_is_not_documented(start_hub, tmp_path):
    hub = start_hub()
    command = [program(), "run", f"{hub.address}api/schema", "--max-time", str(SECONDS), "--checks", ",".join(CHECKS)]
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    more = ["--continue-on-failure", "--no-color", "--request-timeout", "90"]
    ran = subprocess.run([*command, *more], cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS + 240)
    assert ran.returncode == 0, ran.stdout[-6000:]
