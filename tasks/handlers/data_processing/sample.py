"""Sample data: orders of a shop, the same each time, with the flaws that real files have."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator
from pathlib import Path

HEADER = "order,ordered_on,paid_at,customer,country,quantity,total,discount,express\n"
COUNTRIES = ["DE", "DE", "DE", "DE", "AT", "AT", "CH", "CH", "NL", "FR", "PL", "DK"]
NAMES = ["Amber", "Birch", "Cedar", "Dahlia", "Elm", "Fern", "Gorse", "Hazel", "Iris", "Juniper", "Larch", "Maple"]
SHOPS = ["Bakery", "Books", "Cycles", "Garden", "Hotel", "Press", "Tools", "Travel"]
FIRST_DAY = dt.date(2025, 1, 1)
EVERY = 1000


def lines(count: int) -> Iterator[str]:
    """The lines of a CSV of `count` rows."""
    draw = random.Random(count)  # noqa: S311 - sample data is no secret
    yield HEADER
    for number in range(1, count + 1):
        yield _line(number, draw)


def _line(number: int, draw: random.Random) -> str:
    day = FIRST_DAY + dt.timedelta(days=int(draw.triangular(0, 364, 320)))
    paid = dt.datetime.combine(day, dt.time(draw.randrange(7, 23), draw.randrange(60), draw.randrange(60)))
    quantity = 1 + int(draw.expovariate(0.7))
    total = round(quantity * draw.lognormvariate(3.6, 0.8), 2)
    discount = _discount(draw)
    customer = f"{draw.choice(NAMES)} {draw.choice(SHOPS)}"
    express = "yes" if draw.random() < 0.2 else "no"
    return (
        f"{100_000 + number},{day},{paid},{customer},{draw.choice(COUNTRIES)},{quantity},{total},{discount},{express}\n"
    )


def _discount(draw: random.Random) -> str:
    """Often none; now and then a word where a number belongs."""
    chance = draw.random()
    if chance < 0.3:
        return "" if chance < 0.2 else "NA"
    return "staff" if chance < 0.31 else str(max(0, round(draw.gauss(20, 6), 1)))


def sample_csv(count: int = 300) -> bytes:
    """A small file for the form: with a row that occurs twice and a line that is cut off."""
    rows = list(lines(count))
    half = len(rows) // 2
    return "".join([*rows[:half], rows[half - 1], "100999,2025-05-0\n", *rows[half:]]).encode()


def write_sample(path: Path, count: int, report: Callable[[int, int], None]) -> None:
    with path.open("w", encoding="utf-8") as out:
        for number, line in enumerate(lines(count)):
            out.write(line)
            if number % EVERY == 0:
                report(number, count)
