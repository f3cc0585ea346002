"""A sample of a text file's lines: its beginning, and slices from all over it."""

from __future__ import annotations

from pathlib import Path
from typing import IO

BEGINNING = 512 * 1024
SLICE = 64 * 1024
SLICES = 16


def write_sample(path: Path, target: Path, slices: int = SLICES) -> None:
    """Whole lines only. A value that goes over several lines may lose its beginning: the types' reading bears that."""
    size = path.stat().st_size
    with path.open("rb") as source, target.open("wb") as out:
        _copy_lines(source, out, 0, BEGINNING)
        rest = size - BEGINNING
        if rest <= 0:
            return
        step = max(SLICE, rest // slices)
        for start in range(BEGINNING, size, step):
            _copy_lines(source, out, start, SLICE)


def _copy_lines(source: IO[bytes], out: IO[bytes], start: int, size: int) -> None:
    source.seek(start)
    piece = source.read(size)
    if start:
        piece = piece.partition(b"\n")[2]
    if source.read(1):  # not the file's end: the slice stops in the middle of a line
        whole, end, _ = piece.rpartition(b"\n")
        piece = whole + end
    out.write(piece if piece.endswith(b"\n") else piece + b"\n")
