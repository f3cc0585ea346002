"""A closer look at the values that are not of their column's kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.handlers.data_processing.casting import is_odd, texts_and_values
from tasks.handlers.data_processing.database import Database
from tasks.handlers.data_processing.guessing import Column, count_fitting
from tasks.handlers.data_processing.kinds import TEXT, Reading
from tasks.handlers.data_processing.source import MISSING_LIST, Source

# A column is text after all when more of its values than this share cannot be read.
MOST_UNREADABLE = 0.05
LONGEST_UNREADABLE = 80


@dataclass
class Unreadable:
    """The values of a column that are not of its kind: how many, the first one and its row, counted from 0.

    `read` are those that are.
    """

    count: int
    row: int
    text: str
    read: int = 0


def look_closer(
    source: Source, suspects: Sequence[Column], read: Mapping[int, int], database: Database
) -> dict[int, Unreadable]:
    """By position what could not be read: the source is read again, but only these columns. `read` are counts."""
    if not suspects:
        return {}
    _keep_texts(source, suspects, database)
    found = database.run("SELECT position, count(*), min(row), arg_min(text, row) FROM unreadable GROUP BY position")
    return {position: Unreadable(count, row, text, read[position]) for position, count, row, text in found}


def _keep_texts(source: Source, suspects: Sequence[Column], database: Database) -> None:
    """The unreadable texts in a table: `position` of the column, `row`, `text`."""
    ones = ", ".join(
        f"CASE WHEN {is_odd(c)} THEN {{'position': {c.index}, 'text': left({c.key}, {LONGEST_UNREADABLE})}} END"
        for c in suspects
    )
    odd = " OR ".join(is_odd(column) for column in suspects)
    database.run(
        "CREATE OR REPLACE TEMP TABLE unreadable AS SELECT one.position, row, one.text "
        f"FROM (SELECT row, unnest([{ones}]) AS one "
        f"FROM (SELECT *, row_number() OVER () - 1 AS row FROM ({texts_and_values(source, suspects, suspects)})) "
        f"WHERE {odd}) WHERE NOT list_contains({MISSING_LIST}, trim(one.text))"
    )


def reconsider(columns: Sequence[Column], unreadable: Mapping[int, Unreadable], database: Database) -> bool:
    """Give another reading to each column that the sample has misled about. False: there is none."""
    changed = False
    for position, found in unreadable.items():
        column = columns[position]
        if wider := _wider(column, database):
            column.reading, changed = wider, True
        elif found.count - _count(column.reading, column, database) > MOST_UNREADABLE * (found.read + found.count):
            column.reading, changed = TEXT, True
    return changed


def _wider(column: Column, database: Database) -> Reading | None:
    """The reading that takes in most of what the column's own could not read."""
    fits = {reading: _count(reading, column, database) for reading in column.reading.wider}
    best = max(fits, key=lambda reading: fits[reading], default=None)
    return best if best and fits[best] else None


def _count(reading: Reading, column: Column, database: Database) -> int:
    """How many of the unreadable texts of a column fit a reading. Infinities fit its own."""
    sql = f"SELECT {count_fitting(reading, 'text')} FROM unreadable WHERE position = ?"
    return int(database.one(sql, [column.index])[0])
