"""What is asked of all rows about a column of which a sample is known, and how the answers become its facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tasks.handlers.data_processing.axes import fences, number_of
from tasks.handlers.data_processing.casting import is_checked
from tasks.handlers.data_processing.commonest import (
    FEW_VALUES,
    TOP,
    extremes_asked,
    take_all,
    take_extremes,
    top_of,
)
from tasks.handlers.data_processing.profile import ColumnProfile, Table
from tasks.handlers.data_processing.source import LONGEST_MISSING, MISSING_LIST
from tasks.handlers.data_processing.spread import MEASURED, bounds_asked, take_bounds, take_histogram

# Of columns whose sample holds so many different values, all are counted exactly.
MOST_DISTINCT = 1000
# Texts that are common in the sample are so many looked for in the file.
CANDIDATES = 24

Answers = Iterator[Any]


@dataclass
class Question:
    """Several parts, each as SQL over c0, c1, … (values) and t0, t1, … (texts) with what takes the answers to it.

    `texts` counts what was to be read. `missed`: the sample did not hold each of a column's few texts.
    `overlooked` are missing values in a spelling that the sample did not hold.
    """

    profile: ColumnProfile
    asked: list[str] = field(default_factory=list)
    texts: int = 0
    missed: bool = False
    overlooked: int = 0
    _takers: list[Callable[[Answers], None]] = field(default_factory=list)

    def ask(self, sql: list[str], take: Callable[[Answers], None]) -> None:
        self.asked += sql
        self._takers.append(take)

    def take(self, answers: Answers) -> None:
        for take in self._takers:
            take(answers)
        if not self.profile.values:
            self.profile.facts.clear()

    def count(self) -> None:
        profile = self.profile
        text = f"t{profile.column.index}" if is_checked(profile.column) else profile.key

        def take(answers: Answers) -> None:
            self.texts, profile.values = next(answers), next(answers)

        self.ask([f"count({text})", f"count({profile.key})"], take)

    def missing(self) -> None:
        def take(answers: Answers) -> None:
            self.overlooked = next(answers)

        key = self.profile.key
        is_word = f"CASE WHEN strlen({key}) <= {LONGEST_MISSING} THEN list_contains({MISSING_LIST}, {key}) END"
        self.ask([f"count(nullif({is_word}, false))"], take)

    def count_distinct(self) -> None:
        """Exact where the sample has not many; HyperLogLog's estimate else."""
        profile = self.profile
        exact = FEW_VALUES < profile.distinct <= MOST_DISTINCT

        def take(answers: Answers) -> None:
            profile.distinct, profile.distinct_is_exact = min(next(answers), profile.values), exact

        self.ask([f"count(DISTINCT {profile.key})" if exact else f"approx_count_distinct({profile.key})"], take)

    def bounds(self) -> None:
        profile = self.profile
        if profile.axis:
            self.ask(bounds_asked(profile), lambda answers: take_bounds(profile, answers))

    def extremes(self) -> None:
        profile = self.profile
        self.ask(extremes_asked(profile), lambda answers: take_extremes(profile, answers))

    def histogram(self) -> None:
        """The bins are the sample's; what lies beyond them goes into the first and the last."""
        profile, scale = self.profile, self.profile.scale
        if not scale or not profile.quartiles:
            return
        low, high = fences(profile.quartiles[0], profile.quartiles[2])
        fenced = (low, high) if high > low else ()

        def take(answers: Answers) -> None:
            found, (least, most) = next(answers), (number_of(profile.facts[bound]) for bound in ("min", "max"))
            if found and least is not None and most is not None:
                profile.scale = replace(scale, least=least, most=most)
                take_histogram(profile, found)
                if profile.kind in MEASURED:
                    profile.facts["outliers"] = profile.scale.outside(found, fenced) if fenced else 0

        self.ask([scale.histogram(str(profile.axis), fenced)], take)

    def few(self, known: list[Any]) -> None:
        """Each of the few values that the sample holds is counted; what is left over are others."""
        profile = self.profile

        def take(answers: Answers) -> None:
            counts = _counts(next(answers), known)
            others = profile.values - sum(counts.values())
            self.missed = others > 0 and profile.column.kind == "text"
            if not others:
                profile.distinct, profile.distinct_is_exact = len(counts), True
            if others:
                rarest = ([0] * TOP + sorted(counts.values()))[-TOP]
                profile.facts |= top_of(counts, exact=others < rarest)
            else:
                take_all(profile, counts)

        self.ask([f"histogram_exact({profile.key}, {_variable(profile)})"], take)

    def common(self, known: list[Any]) -> None:
        """The commonest texts of the sample are counted. Where nearly each is another, none is common."""
        profile = self.profile

        def take(answers: Answers) -> None:
            counts = _counts(next(answers), known)
            profile.facts.pop("top", None)
            if profile.distinct <= profile.values // 2:
                profile.facts |= top_of(counts, exact=False)

        self.ask([f"histogram_exact({profile.key}, {_variable(profile)})"], take)


def question_about(profile: ColumnProfile, sample: Table) -> Question:
    question = Question(profile)
    question.count()
    question.bounds()
    has_few = 0 < profile.distinct <= FEW_VALUES and "DECIMAL" not in str(profile.axis)
    is_text = profile.column.kind == "text"
    known = _keep_known(profile, sample, FEW_VALUES if has_few else CANDIDATES) if has_few or is_text else []
    if not is_text or not has_few:
        question.count_distinct()
    if has_few:
        question.few(known)
    elif is_text:
        question.missing()
        question.extremes()
        if known:
            question.common(known)
    question.histogram()
    return question


def question_again(profile: ColumnProfile) -> Question:
    """Of a column that holds other texts than the few known ones: what was to be told from these."""
    question = Question(profile)
    question.missing()
    question.count_distinct()
    question.extremes()
    return question


def _variable(profile: ColumnProfile) -> str:
    return f"getvariable('known_{profile.column.index}')"


def _keep_known(profile: ColumnProfile, sample: Table, most: int) -> list[Any]:
    """The commonest values of the sample, kept as a variable: in a statement they would have to be spelled."""
    key = profile.key
    values = f"SELECT {key} FROM {sample.rows.table} WHERE {key} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1"
    sample.database.run(
        f"SET VARIABLE known_{profile.column.index} = (SELECT list({key} ORDER BY {key}) FROM ({values} LIMIT {most}))"
    )
    return list(sample.database.one(f"SELECT {_variable(profile)}")[0] or [])


def _counts(found: Mapping[Any, int] | None, known: list[Any]) -> dict[Any, int]:
    """Without those that are none of the known values: they are counted under a key of their own."""
    wanted = set(known)
    return {value: count for value, count in (found or {}).items() if value in wanted and count}
