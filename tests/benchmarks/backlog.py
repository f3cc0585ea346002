"""Whether a long queue slows the queue: a million rows that wait beside ten thousand, in interleaved runs.

Run it with `python -m tests.benchmarks.backlog`, on SQLite, or with DATABASE_URL on a PostgreSQL server where it may make
databases. Each of the two databases holds as many ready tasks, as many that have ended, and as many that are due
tomorrow, every other of them of high priority. Rows touched are what the server counts for one claim (PostgreSQL).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

SIZES = (10_000, 1_000_000)
DRAINED = 8_000  # tasks of each run whose ends are timed
BATCH = 20_000
MONTH = timedelta(days=30)  # over which the ends are spread


def main() -> None:
    arguments = parsed()
    if arguments.step:
        print(json.dumps(STEPS[arguments.step](arguments.size)))
        return
    runs: dict[int, list[dict[str, Any]]] = {size: [] for size in SIZES}
    with tempfile.TemporaryDirectory() as folder, databases(Path(folder)) as environments:
        for size in SIZES:
            print(f"{size:,} rows of each kind: filled in {in_process('fill', size, environments):,.0f} s")
        for number in range(arguments.runs):
            for size in SIZES if number % 2 else reversed(SIZES):
                runs[size].append(in_process("run", size, environments))
        plans = {size: in_process("plan", size, environments) for size in SIZES}
    report(runs, plans)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--step", choices=list(STEPS))
    parser.add_argument("--size", type=int)
    return parser.parse_args()


@contextmanager
def databases(folder: Path) -> Iterator[dict[int, dict[str, str]]]:
    """The environment of each size, with a migrated database of its own; gone afterwards."""
    server, names = os.environ.get("DATABASE_URL", ""), {size: f"backlog_{uuid.uuid4().hex[:8]}" for size in SIZES}
    environments = {}
    for size in SIZES:
        environments[size] = {"TASKHUB_DATA_DIR": str(folder / str(size))}
        if server.startswith("postgres"):
            environments[size]["DATABASE_URL"] = f"{server.rpartition('/')[0]}/{names[size]}"
            on_server(server, f"CREATE DATABASE {names[size]}")
        migrate = [sys.executable, "manage.py", "migrate", "-v0"]
        subprocess.run(migrate, check=True, env=os.environ | environments[size])
    try:
        yield environments
    finally:
        if server.startswith("postgres"):
            for name in names.values():
                on_server(server, f"DROP DATABASE {name} WITH (FORCE)")


def on_server(url: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as server:
        server.execute(statement)  # type: ignore[call-overload]


def in_process(step: str, size: int, environments: dict[int, dict[str, str]]) -> Any:
    command = [sys.executable, "-m", "tests.benchmarks.backlog", "--step", step, "--size", str(size)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | environments[size])
    return json.loads(done.stdout)


# --- the steps, each in a process of its own


def set_up() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskhub.settings")
    django.setup()


def fill(size: int) -> float:
    """Seconds for the rows that wait, that have ended and that are due tomorrow."""
    import time

    from django.db import connection, transaction
    from django.utils import timezone

    from tasks import lifecycle
    from tasks.inserting import insert_tasks
    from tasks.models import Status, Task, WaitsFor, new_id

    begun = time.perf_counter()
    pattern = lifecycle.submit("NOOP", {"x": 1}, queue="backlog")
    now, tomorrow = timezone.now(), timezone.now() + timedelta(days=1)
    kinds: list[dict[str, Any]] = [
        {},
        {"status": Status.SUCCESS, "attempts": 1, "started_at": now, "completed_at": now, "progress": 100},
        {"waits_for": WaitsFor.TIME, "run_at": tomorrow},
    ]
    same = {field.attname: getattr(pattern, field.attname) for field in Task._meta.concrete_fields}
    for kind in kinds:
        for first in range(0, size, BATCH):
            rows = [Task(**same | kind | {"id": new_id()}) for _ in range(first, min(first + BATCH, size))]
            for place, row in enumerate(rows, first):
                if row.completed_at:
                    row.started_at = row.completed_at = now - MONTH * (1 - place / size)
                row.priority = 5 * (place % 2) if row.waits_for else 0
            with transaction.atomic():
                insert_tasks(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE" if connection.vendor == "sqlite" else "VACUUM ANALYZE")
    return time.perf_counter() - begun


def run(size: int) -> dict[str, Any]:
    """The drain of the queue's first tasks, a second; then p50 and p95, in ms, beside what still waits."""
    from django.db import connection
    from django.utils import timezone

    from tasks.management.bench.processes import running, wait_for
    from tasks.management.bench.taskhub import TaskHubBench
    from tasks.models import Cluster, Task

    begun = timezone.now()
    ended = Task.objects.filter(queue="backlog", completed_at__gte=begun).order_by("completed_at")
    with running(["manage.py", "qcluster"], TASKHUB_QUEUES="backlog"):
        wait_for(lambda: ended[DRAINED + 1000 : DRAINED + 1001].exists(), 60, pause=0.02)
    wait_for(lambda: not Cluster.objects.exists(), 30)
    first, last = (ended.values_list("completed_at", flat=True)[place] for place in (1000, DRAINED + 999))
    top_up(ended.count())
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE" if connection.vendor == "sqlite" else "VACUUM ANALYZE")
    bench = TaskHubBench(2, 1, 200)
    try:
        with bench.cluster():
            latency = bench.latency()
    finally:
        bench.sweep()
    return {"drain": DRAINED / (last - first).total_seconds(), **latency}


def top_up(count: int) -> None:
    from tasks import lifecycle
    from tasks.lifecycle import Submission

    lifecycle.submit_many([Submission("NOOP", {"x": 1}, queue="backlog") for _ in range(count)])


def plan(size: int) -> list[str]:
    """How the database carries one claim out."""
    from django.db import connection, transaction

    from tasks.engine.store import get_store, postgresql, sqlite
    from tasks.engine.store.base import CLAIM_MASK, CLAIMED_COLUMNS

    nobody = str(uuid.uuid4())
    if connection.vendor == "sqlite":
        claim = sqlite.CLAIM.format(mask=CLAIM_MASK, slow="task_type <> 'NOOP'", columns=CLAIMED_COLUMNS)
        statement, values = f"EXPLAIN QUERY PLAN {claim}", [nobody, 1, "backlog", 20, True, nobody]
    else:
        claim = postgresql.CLAIM.format(mask=CLAIM_MASK, columns="task.id")
        claim = claim.replace("EXISTS (", "NOT EXISTS (")  # the cluster that claims is none
        statement = f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF) {claim}"
        values = {"queue": "backlog", "limit": 20, "fast": ["NOOP"], "seed": 1, "cluster": nobody, "worker": 1}
        values["one"] = True
    with transaction.atomic(), connection.cursor() as cursor:
        get_store().pin_plans()
        cursor.execute(statement, values)
        said = [str(row[-1]) for row in cursor.fetchall()]
        transaction.set_rollback(True)
    return said


STEPS = {"fill": fill, "run": run, "plan": plan}


def report(runs: dict[int, list[dict[str, Any]]], plans: dict[int, list[str]]) -> None:
    print(f"{'median of ' + str(len(runs[SIZES[0]])):24}" + "".join(f"{size:>14,}" for size in SIZES) + f"{'ratio':>9}")
    for figure, unit in (("drain", "a second"), ("p50", "ms"), ("p95", "ms")):
        few, many = (statistics.median(run[figure] for run in runs[size]) for size in SIZES)
        print(f"{figure + ', ' + unit:24}{few:>14,.1f}{many:>14,.1f}{many / few:>9.2f}")
    for size in SIZES:
        print(f"\nOne claim of 20 among {size:,}:", *plans[size], sep="\n")


if __name__ == "__main__":
    if "--step" in sys.argv:
        set_up()
    main()
