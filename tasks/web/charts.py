"""Charts as plain SVG: integers worked out here, colours and sizes by the stylesheet, a table beside each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

WIDTH, HEIGHT = 480, 160  # units of the picture; it is stretched to its place
STEPS = 4  # lines above the axis
INTERVALS = (6, 7, 5, 4)  # into how many parts the words below the axis may divide it


@dataclass(frozen=True)
class Rect:
    x: int
    y: int
    width: int
    height: int
    status: str
    title: str


@dataclass(frozen=True)
class Line:
    d: str
    css: str


@dataclass
class Chart:
    """A chart, ready to be drawn: see tasks/_chart.html."""

    id: str
    title: Any
    description: str = ""
    rects: list[Rect] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    area: str = ""
    axis_y: list[str] = field(default_factory=list)
    axis_x: list[str] = field(default_factory=list)
    legend: list[tuple[str, str, str]] = field(default_factory=list)  # status or "", css class of a line, words
    head: list[Any] = field(default_factory=list)
    table: list[list[str]] = field(default_factory=list)
    is_empty: bool = False

    @property
    def grid(self) -> list[int]:
        return [HEIGHT * step // STEPS for step in range(STEPS + 1)]


def top_of_axis(most: float) -> float:
    """A round number at or above this, that parts well by four."""
    if most <= STEPS:
        return float(STEPS)
    scale = 1.0
    while scale * 10 < most:
        scale *= 10
    rounds = (1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10, 12) if scale > 1 else (8, 12)
    return next(scale * step for step in rounds if scale * step >= most)


def top_of_time(most: float) -> float:
    """As `top_of_axis`, for seconds: minutes, hours and days have their own round numbers."""
    if 1 < most <= 40:
        return top_of_axis(most)
    rounds = [
        0.004,
        0.008,
        0.02,
        0.04,
        0.08,
        0.2,
        0.4,
        0.8,
        1.2,
        60,
        80,
        120,
        240,
        480,
        960,
        1200,
        2400,
        3600,
        7200,
        14_400,
        28_800,
        57_600,
        86_400,
    ]
    return next((float(one) for one in rounds if one >= most), 86_400 * top_of_axis(most / 86_400))


def ticks(top: float, words: Callable[[float], str]) -> list[str]:
    return [words(top * (STEPS - step) / STEPS) for step in range(STEPS + 1)]


def spread(labels: Sequence[str]) -> list[str]:
    """So many of the labels as have room, the first and the last among them, evenly."""
    last = len(labels) - 1
    parts = next((parts for parts in INTERVALS if last % parts == 0), 1)
    return [labels[place * last // parts] for place in range(parts + 1)]


def bars(columns: Sequence[Sequence[tuple[str, int, str]]], top: float) -> list[Rect]:
    """Stacked bars: each column is a list of status, count and title, from below upwards."""
    width = max(1, WIDTH // max(1, len(columns)))
    gap = max(1, width * 3 // 10)
    found = []
    for place, column in enumerate(columns):
        below, done = HEIGHT, 0
        for status, count, title in column:
            if not count:
                continue
            done += count
            # A single one among thousands is still to be seen.
            height = max(2, below - round(HEIGHT - done * HEIGHT / top))
            below = max(0, below - height)
            found.append(Rect(place * width + gap // 2, below, width - gap, height, status, title))
    return found


def path(values: Sequence[float | None], top: float) -> str:
    """A line through the values; where there is none, it is interrupted."""
    step = WIDTH / max(1, len(values) - 1)
    parts, is_down = [], False
    for place, value in enumerate(values):
        if value is None:
            is_down = False
            continue
        x, y = round(place * step), _y(value, top)
        # A point with no neighbours is a short dash, or nobody would see it.
        is_alone = not is_down and (place + 1 == len(values) or values[place + 1] is None)
        parts.append(f"{'L' if is_down else 'M'}{x} {y}" + (f"h{max(2, int(step / 3))}" if is_alone else ""))
        is_down = True
    return "".join(parts)


def area(values: Sequence[float | None], top: float) -> str:
    """The surface under each stretch of a line. A point with no neighbours has none: it would look like a slope."""
    step = WIDTH / max(1, len(values) - 1)
    parts = []
    for is_known, run in groupby(enumerate(values), key=lambda placed: placed[1] is not None):
        points = [(round(place * step), _y(value or 0, top)) for place, value in run]
        if is_known and len(points) > 1:
            line = "".join(f"L{x} {y}" for x, y in points)
            parts.append(f"M{points[0][0]} {HEIGHT}{line}L{points[-1][0]} {HEIGHT}Z")
    return "".join(parts)


def _y(value: float, top: float) -> int:
    return round(HEIGHT - min(value, top) * HEIGHT / top)
