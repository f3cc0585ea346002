"""What a spreadsheet would take for a formula, and how a text is kept from being one."""

from __future__ import annotations

# A cell is a formula that begins with one of these: = + - @, tab, line ends, NUL, and the wide forms of the first four.
STARTS = "=+-@\t\n\r\0\uff1d\uff0b\uff0d\uff20"


def safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text and text[0] in STARTS else text
