"""Names for images: output names that are safe on any disk and in any archive."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# Path separators, what Windows forbids, and controls, among them those that turn the reading direction.
UNSAFE = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]')
LONGEST = 100


def safe_stem(name: str) -> str:
    """A file's name without its ending and whatever a path, a disk or a page could stumble over."""
    stem = unicodedata.normalize("NFC", name.rpartition(".")[0] or name)
    return UNSAFE.sub("_", stem).strip(" .")[:LONGEST].strip(" .") or "image"


class OutputNames:
    """Gives out names of which no two are alike, also on a disk that does not tell capitals from small letters."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {name.casefold() for name in taken}

    def take(self, stem: str, ending: str) -> str:
        name, number = f"{stem}.{ending}", 1
        while name.casefold() in self._taken:
            number += 1
            name = f"{stem}-{number}.{ending}"
        self._taken.add(name.casefold())
        return name
