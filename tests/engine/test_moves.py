"""Random moves against a model in plain Python: TaskHub promises that the table of moves is what happens."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db.models import Count, Q
from django.utils import timezone
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tasks import lifecycle
from tasks.engine.outcome import Claimed, Move, Outcome
from tasks.engine.store import get_store
from tasks.lifecycle import TRANSITIONS, TransitionRefused
from tasks.models import FINAL, Cluster, Queue, Status, Task
from tests.engine.conftest import make_cluster

MAX_LOSSES = 3
COUNTED = {Move.SUCCEED, Move.FAIL, Move.TRY_AGAIN_LATER}


@dataclass
class Row:
    """What the model knows of a task."""

    status: Status = Status.PENDING
    claim: int | None = None
    waits_for: str = ""
    attempts: int = 0
    losses: int = 0
    retry_of: object = None

    def may(self, move: str) -> bool:
        return self.status in TRANSITIONS[move].sources

    def make(self, move: str) -> None:
        self.status = TRANSITIONS[move].target


# The first is picked most often: what is held comes first, for that is where moves meet.
picks = st.sampled_from([0, 0, 0, 1, 2, 3]).map(lambda number: lambda among: among[number % len(among)])


class Moves(RuleBasedStateMachine):
    """Each rule picks among what its move may be made on; `refused` and `come_late` make moves that may not be."""

    def __init__(self) -> None:
        super().__init__()
        Task.objects.all().delete()
        Cluster.objects.all().delete()
        Queue.objects.get_or_create(name="default")
        self.store, self.cluster = get_store(), make_cluster()
        self.store.register(self.cluster)
        self.rows: dict[object, Row] = {}
        self.taken: list[Claimed] = []

    # --- the model

    def those(self, move, claimed=None) -> list[Task]:
        """The tasks that this move may be made on; with `claimed`, only those that are held, or are not."""
        rows = sorted(self.rows.items(), key=lambda item: item[1].claim is None)
        return [Task(pk=key) for key, row in rows if row.may(move) and claimed in (None, row.claim is not None)]

    def held(self) -> list[Claimed]:
        return [one for one in self.taken if one.uuid in self.rows and self.rows[one.uuid].claim == one.claim]

    def stale(self) -> list[Claimed]:
        held = self.held()
        return [one for one in self.taken if one not in held]

    def let_go(self, task_id) -> None:
        self.rows[task_id].claim = None
        for row in self.rows.values():
            if row.retry_of == task_id and row.waits_for == "task":
                row.waits_for = ""

    def add(self, task, **known) -> None:
        Task.objects.filter(pk=task.pk).update(max_losses=MAX_LOSSES)
        self.rows[task.pk] = Row(**known)

    # --- a person's moves

    @precondition(lambda self: len(self.rows) < 4)
    @rule(later=st.sampled_from([False, False, True]), priority=st.integers(-1, 1))
    def submit(self, later, priority):
        run_at = timezone.now() + timedelta(hours=1) if later else None
        self.add(lifecycle.submit("NOOP", run_at=run_at, priority=priority), waits_for="time" if later else "")

    @precondition(lambda self: self.those("cancel"))
    @rule(pick=picks)
    def cancel(self, pick):
        task = pick(self.those("cancel"))
        lifecycle.cancel(task)
        row = self.rows[task.pk]
        row.make("cancel")
        row.waits_for = ""

    @precondition(lambda self: self.those("retry"))
    @rule(pick=picks)
    def retry(self, pick):
        old = pick(self.those("retry"))
        waits_for = "task" if self.rows[old.pk].claim else ""
        self.add(lifecycle.retry(old), waits_for=waits_for, retry_of=old.pk)

    @precondition(lambda self: self.those("cancel", claimed=True))
    @rule(pick=picks)
    def cancel_what_is_held_and_retry(self, pick):
        """Two moves in one: by themselves they seldom meet."""
        task = pick(self.those("cancel", claimed=True))
        self.cancel(lambda among: task)
        self.retry(lambda among: task)

    @precondition(lambda self: self.those("delete", claimed=False))
    @rule(pick=picks)
    def delete(self, pick):
        task = pick(self.those("delete", claimed=False))
        key = task.pk
        lifecycle.delete(task)
        del self.rows[key]
        for other in self.rows.values():
            other.retry_of = None if other.retry_of == key else other.retry_of

    @precondition(lambda self: self.rows)
    @rule(move=st.sampled_from([lifecycle.cancel, lifecycle.retry, lifecycle.delete]))
    def refused(self, move):
        allowed = self.those(move.__name__, claimed=False if move is lifecycle.delete else None)
        for task in [Task(pk=key) for key in self.rows if Task(pk=key) not in allowed]:
            with pytest.raises(TransitionRefused):
                move(task)

    # --- the engine's moves

    @precondition(lambda self: any(row.waits_for == "time" for row in self.rows.values()))
    @rule()
    def promote(self):
        Task.objects.filter(waits_for="time").update(run_at=timezone.now() - timedelta(seconds=1))
        waiting = [row for row in self.rows.values() if row.waits_for == "time"]
        assert self.store.promote() == len(waiting)
        for row in waiting:
            row.waits_for = ""

    @rule(limit=st.integers(1, 3))
    def claim(self, limit):
        ready = [row for row in self.rows.values() if row.may("claim") and not (row.claim or row.waits_for)]
        taken = self.store.claim(self.cluster.pk, os.getpid(), "default", limit, ("NOOP",), True)
        assert len(taken) <= min(limit, len(ready))
        assert bool(taken) == bool(ready)  # of those with a loss, only the very first is taken
        for claimed in taken:
            assert self.rows[claimed.uuid] in ready
            self.rows[claimed.uuid].claim = claimed.claim
        self.taken += taken

    @precondition(lambda self: self.held())
    @rule(pick=picks)
    def start(self, pick):
        claimed = pick(self.held())
        row = self.rows[claimed.uuid]
        # What runs under this claim has started: a reply may have been lost, and the question come again.
        assert self.store.start(claimed, timezone.now()) == (row.may("start") or row.status == Status.RUNNING)
        if row.may("start"):
            row.make("start")

    def write(self, claimed, move):
        now = timezone.now()
        run_at = now + timedelta(hours=1)
        self.store.write([Outcome(move, claimed, now, now, result="1", error="It failed.", run_at=run_at)])

    @precondition(lambda self: self.held())
    @rule(pick=picks, move=st.sampled_from(Move))
    def end(self, pick, move):
        claimed = pick(self.held())
        self.write(claimed, move)
        row = self.rows[claimed.uuid]
        if row.status == Status.CANCELLED:
            self.let_go(claimed.uuid)
        elif row.may(move.value):
            row.make(move.value)
            row.claim = None
            row.attempts += move in COUNTED
            row.waits_for = "time" if move is Move.TRY_AGAIN_LATER else ""

    @precondition(lambda self: self.held())
    @rule(pick=picks)
    def lose(self, pick):
        claimed = pick(self.held())
        held = Task.objects.filter(pk=claimed.uuid, claim=claimed.claim)
        assert self.store.release(held, {claimed.claim}, "by signal 9") == 1
        row = self.rows[claimed.uuid]
        if row.status == Status.CANCELLED:
            self.let_go(claimed.uuid)
            return
        row.claim, row.losses = None, row.losses + 1
        row.make("lose for good" if row.losses >= MAX_LOSSES else "lose")
        row.waits_for = "time" if 1 < row.losses < MAX_LOSSES else ""

    @precondition(lambda self: self.stale())
    @rule(move=st.sampled_from(Move))
    def come_late(self, move):
        for claimed in self.stale():
            assert not self.store.start(claimed, timezone.now())
            self.write(claimed, move)

    # --- what holds after each step

    @invariant()
    def the_table_is_as_the_model_has_it(self):
        fields = ("status", "claim", "waits_for", "attempts", "losses", "retry_of")
        rows = {row[0]: Row(*row[1:]) for row in Task.objects.values_list("pk", *fields)}
        assert rows == self.rows

    @invariant()
    def each_row_is_sound(self):
        lost = Count("past_attempts", filter=Q(past_attempts__outcome="lost"))
        for task in Task.objects.select_related("retry_of").annotate(lost=lost):
            final = task.status in FINAL
            assert bool(task.completed_at) == final
            assert task.claim is None or task.status not in (Status.SUCCESS, Status.FAILED)
            assert task.status != Status.RUNNING or (task.claim and task.started_at)
            assert (task.claim is None) == (task.cluster_id is None) == (task.worker is None)
            assert not (final and task.waits_for)
            if task.waits_for == "task":
                assert task.retry_of.is_stopping
            assert task.lost == task.losses


@pytest.mark.django_db
def test_random_moves_do_what_the_table_says():
    run_state_machine_as_test(
        Moves, settings=settings(max_examples=60, stateful_step_count=30, deadline=None, database=None)
    )
