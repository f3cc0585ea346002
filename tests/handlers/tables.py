"""Help for the tests of DATA_PROCESSING: run it on a text, find a column of its result."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from tasks.testing import HandlerRun, run_handler


def profile(content: str | bytes, name: str = "table.csv", **parameters: Any) -> HandlerRun:
    """Run the handler on a file with this content."""
    data = content.encode() if isinstance(content, str) else content
    return run_handler("DATA_PROCESSING", {"file": (name, data), **parameters})


def profiled(content: str | bytes, name: str = "table.csv", **parameters: Any) -> dict[str, Any]:
    """The result for a file with this content. Fails where the handler fails."""
    run = profile(content, name, **parameters)
    assert run.failed is None, run.failed
    return run.result


def column(result: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in result["columns"] if one["name"] == name)


def kinds(result: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["type"] for one in result["columns"]}


def rows_of(run: HandlerRun, name: str = "table.clean.csv") -> list[list[str]]:
    """The rows of a saved CSV, its header first."""
    return list(csv.reader(io.StringIO(run.files[name].decode())))


def saved(run: HandlerRun, name: str, folder: Path) -> Path:
    path = folder / name
    path.write_bytes(run.files[name])
    return path
