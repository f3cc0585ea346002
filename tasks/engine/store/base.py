"""The engine's moves that both databases write alike: start, end, give back, lose, renew.

Each is one guarded UPDATE that names the statuses it may start from and the claim.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Case, Exists, F, Min, OuterRef, QuerySet, Value, When
from django.utils import timezone

from tasks import registry
from tasks.engine.outcome import Claimed, Move, Outcome, back_off
from tasks.lifecycle import TRANSITIONS, give_items
from tasks.models import Cluster, Queue, Status, Task, TaskAttempt, WaitsFor
from tasks.querysets import TaskQuerySet

UNHELD: dict[str, Any] = {"claim": None, "cluster": None, "worker": None}
FRESH: dict[str, Any] = {"status": Status.PENDING, "started_at": None, "progress": 0, "progress_message": ""}

# In the order of Claimed's fields.
CLAIMED_COLUMNS = (
    "id, claim, task_type, parameters, parameters_digest, timeout, attempts, max_attempts, losses, retry_items,"
    " checkpoint, priority, run_at"
)
CLAIM_MASK = 2**62 - 1

# From one queue to the next along the claim's own index: it costs what there is to do, not what there ever was.
NEXT_READY = """
SELECT queue FROM tasks_task {index}
WHERE queue > {after} AND status = 'PENDING' AND claim IS NULL AND waits_for = '' ORDER BY queue LIMIT 1
"""
READY_QUEUES = """
WITH RECURSIVE ready(queue) AS (
    SELECT CAST('' AS text) UNION ALL SELECT ({next}) FROM ready WHERE ready.queue IS NOT NULL
)
SELECT queue FROM ready WHERE queue > ''
"""


def sources(move: Move) -> list[Status]:
    return list(TRANSITIONS[move.value].sources)


class Store:
    """What differs between the databases: `claim`, `succeed`, the clock, what a connection needs."""

    vendor = ""
    claims_index = ""  # how a statement names the index, where it must

    def prepare_connection(self, patience: float) -> None:
        """Have this connection wait at most so many seconds for a lock: what is locked longer counts as away."""

    def pin_plans(self) -> None:
        """Have this connection's statements walk their indexes, whatever the table's statistics suggest."""

    def transaction_that_locks(self, other: BaseDatabaseWrapper) -> object | None:
        """What is open on the other connection and keeps everybody from writing."""
        return None

    def claim(self, cluster: str, worker: int, queue: str, limit: int, fast: Sequence[str], one: bool) -> list[Claimed]:
        """Take up to `limit` ready tasks of a queue, in the order they are to run.

        Only the foremost tasks whose types are in `fast` are taken ahead; with `one`, the very first whatever its type.
        """
        raise NotImplementedError

    def succeed(self, outcomes: Sequence[Outcome]) -> int:
        """Write many successes, in one statement where the database can. Gives the number of rows changed."""
        raise NotImplementedError

    def now(self) -> Any:
        """The clock that leases are judged by."""
        raise NotImplementedError

    # --- claims

    def open_queues(self, limit: int | None = None) -> list[str]:
        """The queues that a cluster of this process's settings takes tasks from now."""
        rows = Queue.objects.filter(paused_at=None)
        if settings.QUEUES:
            rows = rows.filter(name__in=settings.QUEUES)
        return list(rows.order_by("name").values_list("name", flat=True)[:limit])

    def ready_queues(self) -> list[str]:
        """Those of the open queues that have ready tasks."""
        next_ready = NEXT_READY.format(after="ready.queue", index=self.claims_index)
        with connection.cursor() as cursor:
            cursor.execute(READY_QUEUES.format(next=next_ready))
            ready = [name for (name,) in cursor.fetchall()]
        paused = set(Queue.objects.filter(paused_at__isnull=False).values_list("name", flat=True))
        return [name for name in ready if name not in paused and (not settings.QUEUES or name in settings.QUEUES)]

    def start(self, claimed: Claimed, began: datetime) -> bool:
        """RUNNING, before the handler runs. False: it was cancelled or taken meanwhile, and is to be dropped.

        May be asked again, when a reply was lost after its COMMIT: what runs under this claim is started.
        """
        held = Task.objects.under(claimed.claim, claimed.id)
        waiting = held.guarded(status__in=TRANSITIONS["start"].sources)
        changed = waiting.update(status=Status.RUNNING, started_at=began, version=F("version") + 1)
        return bool(changed) or held.guarded(status=Status.RUNNING).exists()

    def is_ours(self, claimed: Claimed) -> bool:
        """Whether what this claim writes is still taken. A cancelled task keeps it until its worker lets go."""
        return Task.objects.under(claimed.claim, claimed.id).exists()

    def held_by(self, cluster: str, worker: int | None = None) -> TaskQuerySet:
        held = Task.objects.filter(cluster=cluster, claim__isnull=False)
        return held if worker is None else held.filter(worker=worker)

    def cancelled_claims(self, cluster: str) -> set[int]:
        """The claims of this cluster whose tasks were cancelled and have not let go yet."""
        held = self.held_by(cluster).guarded(status=Status.CANCELLED)
        return {claim for claim in held.values_list("claim", flat=True) if claim}

    # --- the ends of a claim

    def is_one_statement(self, outcomes: Sequence[Outcome]) -> bool:
        """Whether `write` sends one statement for these, which needs no transaction around it."""
        return False

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Write outcomes within the caller's transaction. What its claim no longer covers changes nothing."""
        # In id order: two writers of overlapping rows would otherwise wait for each other.
        outcomes = sorted(outcomes, key=lambda outcome: outcome.claimed.id)
        successes = [outcome for outcome in outcomes if outcome.move is Move.SUCCEED]
        if successes and self.succeed(successes) < len(successes):
            self._let_go([outcome.claimed for outcome in successes])
        self._let_go([outcome.claimed for outcome in outcomes if outcome.move is Move.LET_GO])
        self.give_back([outcome.claimed for outcome in outcomes if outcome.move is Move.GIVE_BACK])
        for outcome in outcomes:
            if outcome.move in (Move.FAIL, Move.TRY_AGAIN_LATER):
                self._write_failure(outcome)

    def _write_failure(self, outcome: Outcome) -> None:
        claimed = outcome.claimed
        values: dict[str, Any] = {"error_message": outcome.error, "attempts": F("attempts") + 1, **UNHELD}
        if outcome.move is Move.FAIL:
            values |= {"status": Status.FAILED, "started_at": outcome.began, "completed_at": outcome.ended}
        else:
            values |= FRESH | {"run_at": outcome.run_at, "waits_for": WaitsFor.TIME}
        held = Task.objects.under(claimed.claim, claimed.id).guarded(status__in=sources(outcome.move))
        if not held.update(version=F("version") + 1, **values):
            self._let_go([claimed])
            return
        TaskAttempt.objects.create(
            task_id=claimed.uuid,
            outcome=outcome.attempt_outcome,
            started_at=outcome.began,
            ended_at=outcome.ended or timezone.now(),
            worker=outcome.worker,
            hostname=outcome.hostname,
            error=outcome.error,
            traceback=outcome.traceback,
        )

    def give_back(self, claimed: Sequence[Claimed]) -> None:
        """Back to PENDING, nothing counted; what was cancelled meanwhile is let go."""
        if not claimed:
            return
        ids, claims = [one.id for one in claimed], [one.claim for one in claimed]
        held = Task.objects.filter(pk__in=ids).guarded(claim__in=claims)
        running = held.guarded(status=Status.RUNNING).update(version=F("version") + 1, **FRESH, **UNHELD)
        waiting = held.guarded(status=Status.PENDING).update(**UNHELD)
        if running + waiting < len(claimed):
            self._let_go(claimed)

    def _let_go(self, claimed: Sequence[Claimed]) -> None:
        """Clear the claims of cancelled tasks, and let the retries go that wait for them."""
        if not claimed:
            return
        ids, claims = [one.id for one in claimed], [one.claim for one in claimed]
        held = Task.objects.filter(pk__in=ids).guarded(claim__in=claims, status=Status.CANCELLED)
        # Both or neither, wherever this is called from: a retry that is not released here would wait for ever.
        with transaction.atomic(savepoint=False):
            if held.update(version=F("version") + 1, **UNHELD):
                self._release_retries(ids)

    def _release_retries(self, ids: Iterable[Any]) -> None:
        waiting = Task.objects.filter(retry_of__in=ids, waits_for=WaitsFor.TASK).guarded(status=Status.PENDING)
        waiting = waiting.filter(retry_of__claim=None)
        for task in waiting.exclude(retry_items="").select_related("retry_of"):
            give_items(task)
        next_wait = Case(When(run_at__gt=timezone.now(), then=Value(WaitsFor.TIME)), default=Value(WaitsFor.NOTHING))
        waiting.update(waits_for=next_wait, version=F("version") + 1)

    # --- death

    def time_out(self, held: QuerySet[Task]) -> None:
        """End the attempt of tasks whose process had to be killed, for they did not stop at their timeout."""
        for task in held.select_for_update():
            claim = Claimed(task.pk, task.claim or 0, *[None] * 11)  # type: ignore[arg-type]
            said = f"Timed out after {task.timeout:g} s, and was killed since it did not stop."
            failed = Outcome(Move.FAIL, claim, task.started_at, timezone.now(), error=said)
            failed.attempt_outcome = TaskAttempt.Outcome.TIMED_OUT
            failed.worker, failed.hostname = task.worker, _hostname_of(task)
            if task.attempts + 1 < task.max_attempts:
                failed.move = Move.TRY_AGAIN_LATER
                failed.run_at = back_off(registry.get(task.task_type).backoff, task.attempts + 1)
            self._write_failure(failed)

    def release(self, held: QuerySet[Task], running: Iterable[int], why: str, *, counted: bool = True) -> int:
        """Free what a dead process held; `running` are the claims its slots say it was running.

        A running task counts a loss, unless the process was stopped on purpose (`counted` is False).
        """
        started = set(running)
        rows = list(held.select_for_update().order_by("id"))
        for task in rows:
            claim = Claimed(task.pk, task.claim or 0, *[None] * 11)  # type: ignore[arg-type]
            was_running = task.status == Status.RUNNING or task.claim in started
            if task.status == Status.CANCELLED:
                self._let_go([claim])
            elif was_running and counted:
                self._lose(task, why)
            else:
                self.give_back([claim])
        return len(rows)

    def _lose(self, task: Task, why: str) -> None:
        losses, now = task.losses + 1, timezone.now()
        values: dict[str, Any] = {"losses": losses, **UNHELD}
        if losses >= task.max_losses:
            error = f"Its worker died {losses} times, last {why}."
            values |= {"status": Status.FAILED, "completed_at": now, "error_message": error}
        else:
            error = f"Its worker died {why}."
            # The first loss is taken up again at once: the process, not the task, is the likelier culprit.
            pause = timedelta(seconds=0 if losses == 1 else 2 ** (losses - 1))
            values |= FRESH | {"run_at": now + pause, "waits_for": WaitsFor.TIME if pause else WaitsFor.NOTHING}
        Task.objects.under(task.claim or 0, task.pk).update(version=F("version") + 1, **values)
        TaskAttempt.objects.create(
            task=task,
            outcome=TaskAttempt.Outcome.LOST,
            started_at=task.started_at,
            worker=task.worker,
            hostname=_hostname_of(task),
            error=error,
        )

    # --- time

    def promote(self, limit: int = 1000) -> int:
        """Make ready what its time has come for. Gives how many."""
        with transaction.atomic():
            due = Task.objects.filter(waits_for=WaitsFor.TIME, run_at__lte=timezone.now()).guarded(
                status=Status.PENDING
            )
            if connection.features.has_select_for_update_skip_locked:
                due = due.select_for_update(skip_locked=True)
            ids = list(due.order_by("run_at").values_list("pk", flat=True)[:limit])
            if not ids:
                return 0
            held = Task.objects.filter(pk__in=ids, waits_for=WaitsFor.TIME).guarded(status=Status.PENDING)
            return held.update(waits_for=WaitsFor.NOTHING, version=F("version") + 1)

    def next_due(self) -> datetime | None:
        """When the next task's time comes."""
        timed = Task.objects.filter(waits_for=WaitsFor.TIME).guarded(status=Status.PENDING)
        return timed.aggregate(due=Min("run_at"))["due"]

    # --- clusters

    def register(self, cluster: Cluster) -> None:
        cluster.lease_expires_at = timezone.now() + timedelta(seconds=settings.LEASE)
        with transaction.atomic():  # nobody sees the lease as this host's own clock has it
            cluster.save(force_insert=True)
            self.renew(cluster.pk, [])

    def renew(self, cluster: str, workers: list[dict[str, Any]]) -> bool:
        """The heartbeat. False: the row is gone, somebody took this cluster for dead."""
        lease = timedelta(seconds=settings.LEASE)
        row = Cluster.objects.filter(pk=cluster)
        return bool(row.update(renewed_at=self.now(), lease_expires_at=self.now() + lease, workers=workers))

    def expired(self) -> QuerySet[Cluster]:
        return Cluster.objects.filter(lease_expires_at__lt=self.now())

    def bury(self, cluster: Cluster, why: str, dead: QuerySet[Cluster]) -> int:
        """Release all a dead cluster held and delete its row, in one transaction. Gives the number of tasks.

        `dead` are those that may be buried, asked once more: a lease may have been renewed since.
        """
        with transaction.atomic():
            if not dead.select_for_update().filter(pk=cluster.pk).exists():
                return 0
            freed = self.release(self.held_by(cluster.pk), (), why)
            Cluster.objects.filter(pk=cluster.pk).delete()
        return freed

    def retire(self, cluster: str) -> int:
        """The orderly end of a cluster: nothing counted. Gives the number of tasks it still held."""
        with transaction.atomic():
            freed = self.release(self.held_by(cluster), (), "", counted=False)
            Cluster.objects.filter(pk=cluster).delete()
        return freed

    def orphans(self) -> QuerySet[Task]:
        """What is held in the name of a cluster that is gone: it was claimed in the very moment of the burial."""
        known = Cluster.objects.filter(pk=OuterRef("cluster"))
        return Task.objects.filter(~Exists(known), claim__isnull=False)


def _hostname_of(task: Task) -> str:
    """Where it is held; nothing, where that cluster is gone."""
    return Cluster.objects.filter(pk=task.cluster_id).values_list("hostname", flat=True).first() or ""
