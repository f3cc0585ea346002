"""What a worker's pulse writes: outcomes, reports, starts and answers, all that there is in one transaction."""

from __future__ import annotations

import time
from contextlib import nullcontext

from django.db import DataError, IntegrityError, transaction
from django.utils import timezone

from tasks.engine import wakeup
from tasks.engine.outcome import Move, Outcome, clean_text
from tasks.engine.run import Request, Run
from tasks.engine.store import Store
from tasks.engine.store.reports import publish_files, write_report
from tasks.masking import masked_text
from tasks.turnstile import turnstile

UNFIT_DATA = (DataError, IntegrityError)
PUBLISH_AFTER = 0.05  # seconds after which a fast task that still runs is shown as RUNNING
REPORT_EVERY = 1.0  # seconds between writes of one task's progress and log
FREES_A_TASK = (Move.GIVE_BACK, Move.LET_GO)  # the task itself, or a retry that waited for it


class Writer:
    """Keeps outcomes until they are stored. Used by one pulse alone, over its connection."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.unwritten: list[Outcome] = []

    def write(self, present: Run | None, requests: list[Request]) -> int:
        """Write what there is, then answer the requests. `present` is the run at hand. Gives the number of outcomes.

        Raises UNFIT_DATA where a value cannot be stored, else what the database raises; nothing is written then.
        """
        runs = self._runs_to_report(present, requests)
        publish = present if present is not None and _is_to_be_shown(present) else None
        if not (self.unwritten or runs or publish or requests):
            return 0
        plain = not (runs or publish or requests) and self.store.is_one_statement(self.unwritten)
        # One statement is a transaction of its own: a BEGIN and a COMMIT would be two more journeys.
        with turnstile(), nullcontext() if plain else transaction.atomic():
            self._write(runs, self.unwritten)
            published = publish is not None and self.store.start(publish.claimed, publish.began)
            answers = [self._answer(request, present) for request in requests]
        if publish is not None:
            publish.claimed.started = published
        return self._settle(runs, requests, answers)

    def write_one_by_one(self, present: Run | None) -> None:
        """One bad value fails its whole batch, for ever: find it, and let its task fail instead."""
        ended = [outcome.run for outcome in self.unwritten]
        gathered = present is not None and present.report is not None and present not in ended
        if present and gathered and (error := self._write_alone([present], [])):
            present.lines.append((timezone.now(), "warning", f"What it reported could not be stored: {error}"))
        while self.unwritten:
            outcome = self.unwritten[0]
            error = self._write_alone([outcome.run] if outcome.run else [], [outcome])
            # Not taken out before it is stored: the database may go away in between.
            self.unwritten[:1] = [_as_failure(outcome, error)] if error else []

    def _runs_to_report(self, present: Run | None, requests: list[Request]) -> list[Run]:
        """Ended runs first have their last words written; the present one's turn comes once in REPORT_EVERY."""
        ended = [outcome.run for outcome in self.unwritten if outcome.run is not None]
        if present is None or present in ended or not (present.dirty or present.report):
            return ended
        asked = any(request.start is None for request in requests)
        due = time.monotonic() - present.reported >= REPORT_EVERY
        return [*ended, present] if asked or due else ended

    def _answer(self, request: Request, present: Run | None) -> bool:
        if request.start is not None:
            return self.store.start(request.start, request.began)
        return present is None or self.store.is_ours(present.claimed)

    def _write(self, runs: list[Run], outcomes: list[Outcome]) -> None:
        """Within a transaction: reports first, for what they saved is published with the outcome."""
        for run in runs:
            run.first_seq = write_report(run.claimed, run.gather(), run.first_seq)
        for outcome in outcomes:
            if outcome.run is not None:
                publish_files(outcome)
        self.store.write(outcomes)

    def _write_alone(self, runs: list[Run], outcomes: list[Outcome]) -> str:
        """In a transaction of its own. Gives the words of the error, if the data is at fault."""
        try:
            with transaction.atomic():
                self._write(runs, outcomes)
        except UNFIT_DATA as error:
            for run in runs:
                run.report = None
            return clean_text(masked_text(str(error)).strip()[:300])
        for run in runs:
            run.settle()
        return ""

    def _settle(self, runs: list[Run], requests: list[Request], answers: list[bool]) -> int:
        """After the commit: tell who waits for it."""
        written, self.unwritten = self.unwritten, []
        for run in runs:
            run.settle()
        for request, answer in zip(requests, answers, strict=True):
            if request.start is not None:
                request.start.started = answer
            request.reply.put(answer)
        freed = sum(outcome.move in FREES_A_TASK for outcome in written)
        again = [outcome.run_at for outcome in written if outcome.move is Move.TRY_AGAIN_LATER]
        if freed or again:
            wakeup.tell(wakeup.News(ready=freed, due=min(filter(None, again), default=None)))
        return len(written)


def _is_to_be_shown(run: Run) -> bool:
    """Whether a fast task that was not written as RUNNING is not so fast after all."""
    return not run.claimed.started and time.monotonic() - run.since >= PUBLISH_AFTER


def _as_failure(outcome: Outcome, error: str) -> Outcome:
    said = f"Its result could not be stored: {error}"
    return Outcome(Move.FAIL, outcome.claimed, outcome.began, outcome.ended, error=said)
