"""The engine's SQL for SQLite: one writer at a time, one host."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from tasks.engine.outcome import Claimed, Outcome
from tasks.engine.store.base import CLAIM_MASK, CLAIMED_COLUMNS, Store

# The pick must name its index: left to itself the planner takes another one and sorts the whole queue.
CLAIM = """
UPDATE tasks_task SET claim = (random() & {mask}) | 1, cluster_id = %s, worker = %s
WHERE id IN (
    SELECT id FROM (
        SELECT id, row_number() OVER w AS place, sum({slow}) OVER w AS slow
        FROM (
            SELECT id, task_type, losses, priority, run_at FROM tasks_task INDEXED BY task_claimable
            WHERE queue = %s AND status = 'PENDING' AND claim IS NULL AND waits_for = ''
            ORDER BY priority DESC, run_at, id LIMIT %s
        )
        WINDOW w AS (ORDER BY priority DESC, run_at, id)
    ) WHERE slow = 0 OR (place = 1 AND %s)
) AND EXISTS (SELECT 1 FROM tasks_cluster WHERE id = %s)
RETURNING {columns}
"""

SUCCEED = """
UPDATE tasks_task SET status = 'SUCCESS', started_at = %s, completed_at = %s, result_data = %s, error_message = NULL,
    progress = 100, progress_message = %s, attempts = attempts + 1, claim = NULL, cluster_id = NULL, worker = NULL,
    waits_for = '', version = version + 1
WHERE id = %s AND claim = %s AND status IN ('PENDING', 'RUNNING')
"""


def stored(moment: datetime | None) -> str | None:
    """A time as Django's SQLite backend stores it: UTC, without its zone."""
    if moment is None:
        return None
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(" ")[:-6]  # without +00:00


class SqliteStore(Store):
    vendor = "sqlite"
    claims_index = "INDEXED BY task_claimable"

    def now(self) -> Any:
        return timezone.now()

    def prepare_connection(self, patience: float) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {patience * 1000:.0f}")

    def transaction_that_locks(self, other: BaseDatabaseWrapper) -> object | None:
        return next(iter(other.atomic_blocks), None)

    def claim(self, cluster: str, worker: int, queue: str, limit: int, fast: Sequence[str], one: bool) -> list[Claimed]:
        slow = "1"
        if fast:
            slow = f"NOT (losses = 0 AND task_type IN ({', '.join(['%s'] * len(fast))}))"
        sql = CLAIM.format(mask=CLAIM_MASK, slow=slow, columns=CLAIMED_COLUMNS)
        with connection.cursor() as cursor:
            cursor.execute(sql, [cluster, worker, *fast, queue, limit, one, cluster])
            rows = cursor.fetchall()
        claimed = [Claimed(*row) for row in rows]
        claimed.sort(key=lambda task: (-task.priority, task.run_at, task.id))  # RETURNING has no order
        return claimed

    def succeed(self, outcomes: Sequence[Outcome]) -> int:
        rows = [
            (stored(o.began), stored(o.ended), o.result, o.message, o.claimed.id, o.claimed.claim) for o in outcomes
        ]
        with connection.cursor() as cursor:
            cursor.executemany(SUCCEED, rows)
            return cursor.rowcount
