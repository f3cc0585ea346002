"""A big CSV file in one reading: a sample of it is profiled, then one statement asks all rows for what must be exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tasks.handlers.data_processing.casting import typed
from tasks.handlers.data_processing.database import Database, OutOfMemory
from tasks.handlers.data_processing.delimited import relation, with_missing
from tasks.handlers.data_processing.guessing import Column
from tasks.handlers.data_processing.loading import Rows
from tasks.handlers.data_processing.profile import ColumnProfile, Table, count
from tasks.handlers.data_processing.questions import Question, question_about, question_again
from tasks.handlers.data_processing.rejects import forget_rejects
from tasks.handlers.data_processing.relations import row_hash
from tasks.handlers.data_processing.sampling import write_sample
from tasks.handlers.data_processing.source import MISSING, Source
from tasks.handlers.data_processing.spread import measure
from tasks.handlers.data_processing.unreadable import look_closer, reconsider

# Below this size the rows are quickly written out and read again, and more of what is told is exact.
BIG_FILE = 100 * 1024 * 1024
SLICES = 384
# One statement about many more columns would take long to plan, and much memory.
MOST_COLUMNS = 100
# Whole numbers that lie close together are ticked off in a string of bits, one for each thread.
MOST_BITS = 2**27
SAMPLE = "sampled_rows"
SEARCHED = 8 * 1024 * 1024


def is_worth_it(source: Source) -> bool:
    if source.dialect is None or source.path is None or source.width > MOST_COLUMNS:
        return False
    return source.path.stat().st_size >= BIG_FILE


def read_once(source: Source, columns: list[Column], database: Database, folder: Path) -> Rows:
    """The rows, profiled; once more where the whole file shows that the sample has misled about a column's kind.

    Raises OutOfMemory where one statement is too much; the rows can then be written out all the same.
    """
    try:
        rows = _read_checked(source, columns, database, folder)
        if rows.unreadable and reconsider(columns, rows.unreadable, database):
            rows = _read_checked(source, columns, database, folder)
    except OutOfMemory:
        database.run(f"DROP TABLE IF EXISTS {SAMPLE}")  # what comes in its place needs the room
        raise
    return rows


def _read_checked(source: Source, columns: list[Column], database: Database, folder: Path) -> Rows:
    """First with the spellings of a missing value that the sample holds; with all, where others turn up."""
    sample = _sample(source, columns, database, folder)
    words = _words_of(folder / SAMPLE, source)
    quick = replace(source, relation=with_missing(source.relation, words))
    rows, overlooked = _read(quick, sample, database)
    return _read(source, sample, database)[0] if overlooked else rows


def _read(source: Source, sample: Table, database: Database) -> tuple[Rows, int]:
    """The rows, and how many missing values there are at least that were not taken for one."""
    profiles = _profiles(sample)
    columns = sample.rows.columns
    rows = Rows([], columns, 0, sample=SAMPLE, sampled=sample.rows.count, profiles=profiles)
    rows.relation = f"({typed(source, columns, texts=True)})"
    forget_rejects(database)
    repetitions = _Repetitions(rows)
    questions = [question_about(profile, sample) for profile in profiles]
    asked = [one for question in questions for one in question.asked]
    answers = iter(database.one(f"SELECT {', '.join(['count(*)', repetitions.asked, *asked])} FROM {rows.relation}"))
    rows.count, found = next(answers), next(answers)
    for question in questions:
        question.take(answers)
    again = _ask_again([question.profile for question in questions if question.missed], rows, database)
    if overlooked := sum(question.overlooked for question in [*questions, *again]):
        return rows, overlooked
    _find_unreadable(source, rows, questions, database)
    rows.repeated = repetitions.count(found, database)
    return rows, 0


def _sample(source: Source, columns: list[Column], database: Database, folder: Path) -> Table:
    """Some rows from all over the file, in memory."""
    assert source.path
    assert source.dialect
    path = folder / SAMPLE
    write_sample(source.path, path, SLICES)
    some = replace(source, relation=relation(path, source.dialect, sample=True))
    database.run(f"CREATE OR REPLACE TEMP TABLE {SAMPLE} AS {typed(some, columns)}")
    (rows,) = database.one(f"SELECT count(*) FROM {SAMPLE}")
    return Table(Rows([], columns, rows, relation=SAMPLE), database)


def _words_of(sample: Path, source: Source) -> list[str]:
    """The spellings of a missing value amid the lines of the sample's end."""
    assert source.dialect
    separator = source.dialect.separator.encode()
    with sample.open("rb") as file:
        file.seek(max(0, sample.stat().st_size - SEARCHED))
        text = file.read()
    return [word for word in MISSING if not word or separator + word.encode() + separator in text]


def _profiles(sample: Table) -> list[ColumnProfile]:
    profiles = sample.profiles()
    for batch in sample.batches(profiles):
        count(batch, sample)
        measure(batch, sample)
    return profiles


@dataclass
class _Repetitions:
    """Counts the rows that are equal to an earlier one, by a key if the sample has one, else by the rows' hashes."""

    rows: Rows

    def __post_init__(self) -> None:
        self.key = next((one for one in self.rows.profiles if self._is_key(one)), None)
        if self.key:
            least, most = self.key.facts["min"], self.key.facts["max"]
            span = most - least
            low, high = max(-(2**63), least - span), min(2**63 - 1, most + span)
            bits = f"bitstring_agg({self.key.key}, {low}, {high}) FILTER ({self.key.key} BETWEEN {low} AND {high})"
            self.asked = f"bit_count({bits})"
        else:
            self.asked = self._by_hash

    @property
    def _by_hash(self) -> str:
        return f"count(*) - count(DISTINCT {row_hash(self.rows)})"

    def _is_key(self, profile: ColumnProfile) -> bool:
        if profile.column.kind != "integer" or profile.axis != profile.key:
            return False
        if not profile.values == profile.distinct == self.rows.sampled > 1:
            return False
        return 0 < 3 * (profile.facts["max"] - profile.facts["min"]) < MOST_BITS

    def count(self, found: int, database: Database) -> int:
        if not self.key:
            return int(found)
        if found == self.rows.count:
            self.key.distinct, self.key.distinct_is_exact = found, True
            return 0
        return int(database.one(f"SELECT {self._by_hash} FROM {self.rows.relation}")[0])


def _find_unreadable(source: Source, rows: Rows, questions: Sequence[Question], database: Database) -> None:
    suspects = [one.profile.column for one in questions if one.texts > one.profile.values]
    read = {column.index: rows.profiles[column.index].values for column in suspects}
    rows.unreadable = look_closer(source, suspects, read, database)
    for profile in rows.profiles:
        unreadable = rows.unreadable.get(profile.column.index)
        profile.nulls = rows.count - profile.values - (unreadable.count if unreadable else 0)


def _ask_again(profiles: Sequence[ColumnProfile], rows: Rows, database: Database) -> list[Question]:
    questions = [question_again(profile) for profile in profiles]
    if questions:
        asked = [one for question in questions for one in question.asked]
        answers = iter(database.one(f"SELECT {', '.join(asked)} FROM {rows.relation}"))
        for question in questions:
            question.take(answers)
    return questions
