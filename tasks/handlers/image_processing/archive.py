"""All outputs of a task as one zip, which grows while they are made."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any


class Archive:
    """A zip at `path`; as a context manager it is closed with the block."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Stored, not deflated: images are compressed already.
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED)
        self._names: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def add(self, path: Path, name: str) -> None:
        self._zip.write(path, name)
        self._names.add(name)

    def close(self) -> Path:
        """Finish the zip and give where it lies."""
        self._zip.close()
        return self._path

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *error: Any) -> None:
        self._zip.close()
