"""What is secret among a task's parameters is stored for its handler and shown to nobody."""

from __future__ import annotations

import re
from typing import Any

MASK = "••••••"
SECRET_NAME = re.compile(r"passw|passphrase|secret|token|api[_-]?key|authorization|credential|cookie", re.IGNORECASE)
IN_ADDRESS = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)")


def masked(value: Any) -> Any:
    """A copy with the values of secret names, and passwords within addresses, replaced."""
    if isinstance(value, dict):
        return {name: MASK if inner and SECRET_NAME.search(name) else masked(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner) for inner in value]
    return IN_ADDRESS.sub(MASK, value) if isinstance(value, str) else value
