"""The engine's SQL for PostgreSQL: many writers, many hosts, the server's clock."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models.functions import Now

from tasks.engine.outcome import Claimed, Move, Outcome
from tasks.engine.store.base import CLAIM_MASK, CLAIMED_COLUMNS, Store

# A claim need not wait for the disk: should the server crash before it is there, the task is ready again, its outcome
# comes under a claim that nobody knows, and it runs once more.
# By ctid, for that leaves the planner no choice of an index: what is ready and locked stays where it is, since nobody
# changes a ready row but to take it or to cancel it.
CLAIM = """
WITH picked AS MATERIALIZED (
    SELECT ctid, id, task_type, losses, priority, run_at FROM tasks_task
    WHERE queue = %(queue)s AND status = 'PENDING' AND claim IS NULL AND waits_for = ''
    ORDER BY priority DESC, run_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), ranked AS (
    SELECT ctid, row_number() OVER w AS place,
           sum(CASE WHEN losses = 0 AND task_type = ANY(%(fast)s) THEN 0 ELSE 1 END) OVER w AS slow
    FROM picked WINDOW w AS (ORDER BY priority DESC, run_at, id)
)
UPDATE tasks_task AS task
SET claim = (uuid_hash_extended(task.id, %(seed)s) & {mask}) | 1, cluster_id = %(cluster)s, worker = %(worker)s
FROM ranked, (SELECT set_config('synchronous_commit', 'off', true)) AS quick
WHERE task.ctid = ranked.ctid AND (slow = 0 OR (place = 1 AND %(one)s))
  AND EXISTS (SELECT 1 FROM tasks_cluster WHERE id = %(cluster)s)
RETURNING {columns}
"""

# IS TRUE hides from the planner what other indexes know. Where its statistics are older than a million submits it
# believes that hardly anything waits or is held, and would look through all that is for each write.
SUCCEED = """
UPDATE tasks_task AS task SET status = 'SUCCESS', started_at = ended.began, completed_at = ended.ended,
    result_data = ended.result::jsonb, error_message = NULL, progress = 100, progress_message = ended.message,
    attempts = attempts + 1, claim = NULL, cluster_id = NULL, worker = NULL, waits_for = '', version = version + 1
FROM json_to_recordset(%s::json) AS ended(
    began timestamptz, ended timestamptz, result text, message text, id uuid, claim bigint
)
WHERE task.id = ended.id AND (task.claim = ended.claim AND task.status IN ('PENDING', 'RUNNING')) IS TRUE
"""


@contextmanager
def _executed(sql: str, values: Any) -> Iterator[Any]:
    """Run a statement that is prepared once, with its values apart from its text, where Django would put them in."""
    import psycopg

    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(sql, values, prepare=True)
        yield cursor


class PostgresStore(Store):
    vendor = "postgresql"

    def now(self) -> Any:
        return Now()

    def prepare_connection(self, patience: float) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {patience * 1000:.0f}")

    def pin_plans(self) -> None:
        # The claim's plan is kept: one that was the best for an empty table would read a full one from end to end, or
        # sort it. What is off is done all the same where there is no other way, at a price that would call for
        # compiled code: half a second for each statement.
        off = ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "enable_sort", "jit")
        with connection.cursor() as cursor:
            cursor.execute("SET plan_cache_mode = force_generic_plan")
            for name in off:
                cursor.execute(f"SET {name} = off")

    def claim(self, cluster: str, worker: int, queue: str, limit: int, fast: Sequence[str], one: bool) -> list[Claimed]:
        values: dict[str, Any] = {
            "queue": queue, "limit": limit, "fast": list(fast), "seed": secrets.randbits(62),
            "cluster": cluster, "worker": worker, "one": one,
        }  # fmt: skip
        columns = ", ".join(f"task.{name.strip()}" for name in CLAIMED_COLUMNS.split(","))
        with _executed(CLAIM.format(mask=CLAIM_MASK, columns=columns), values) as cursor:
            rows = cursor.fetchall()
        claimed = [Claimed(*row) for row in rows]
        claimed.sort(key=lambda task: (-task.priority, task.run_at, task.id))  # RETURNING has no order
        return claimed

    def is_one_statement(self, outcomes: Sequence[Outcome]) -> bool:
        # What was cancelled meanwhile is let go in a transaction of its own.
        return all(outcome.move is Move.SUCCEED for outcome in outcomes)

    def succeed(self, outcomes: Sequence[Outcome]) -> int:
        # As JSON, which both sides read in C; an array for each column would be put together in Python.
        rows = [
            {
                "began": stored(o.began), "ended": stored(o.ended), "result": o.result, "message": o.message,
                "id": str(o.claimed.id), "claim": o.claimed.claim,
            }
            for o in outcomes
        ]  # fmt: skip
        with _executed(SUCCEED, [json.dumps(rows)]) as cursor:
            return cursor.rowcount


def stored(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
