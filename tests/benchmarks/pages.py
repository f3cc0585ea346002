"""What each screen costs the server, with a thousand and with a million tasks.

Run it with `python -m tests.benchmarks.pages` over the database of DATABASE_URL or TASKHUB_DATA_DIR, once it is filled by
`manage.py seed_demo`. It asks through Django's test client, screen by screen in turn, so that a busy moment of the machine
falls on all. Each is asked twice and measured the second time, as a page that is open or just left; "cold" leaves
nothing remembered of any request before, as in a process that has just started.
"""

from __future__ import annotations

import argparse
import os
import time
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.test import Client

WARM_UP = 2


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=40)
    arguments = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskhub.settings")
    import django

    django.setup()
    from django.db import connection
    from django.test import Client

    from taskhub.gunicorn import pre_fork
    from tasks.models import Task

    pre_fork(None, None)  # garbage is looked for as seldom as in a server
    connection.ensure_connection()
    client = Client(HTTP_HOST="localhost")
    found = {name: [] for name in screens(client)}  # type: dict[str, list[tuple[float, float, int]]]
    for number in range(arguments.requests + WARM_UP):
        for name, address in screens(client).items():
            measured = ask(client, address, is_cold=name.endswith("cold"))
            if number >= WARM_UP:
                found[name].append(measured)
    print(f"{connection.vendor}, {Task.objects.count():,} tasks")
    print(f"{'screen':28}{'p50, ms':>10}{'p95, ms':>10}{'CPU p50':>10}{'CPU p95':>10}{'queries':>9}")
    for name, measures in found.items():
        walls, cpus, queries = zip(*measures, strict=True)
        times = (median(walls), p95(walls), median(cpus), p95(cpus))
        print(f"{name:28}" + "".join(f"{value:>10.1f}" for value in times) + f"{max(queries):>9}")


def p95(values: Any) -> float:
    return quantiles(values, n=20)[-1]


def screens(client: Client) -> dict[str, str]:
    """Each screen's address, by its name."""
    if not _screens:
        _screens.update(_find(client))
    return _screens


_screens: dict[str, str] = {}


def _find(client: Client) -> dict[str, str]:
    from django.db.models import Count

    from tasks.models import Status, Task, TaskLogLine

    newest = Task.objects.newest_first()
    deep = newest.values_list("pk", flat=True)[newest.count() // 2]
    logged = TaskLogLine.objects.values("task").annotate(lines=Count("pk")).order_by("-lines").values_list("task")
    task = logged[0][0]
    version = client.get("/tasks/_table/").content.decode().partition('data-ver="')[2].partition('"')[0]
    found = {"S1 all": "/", "S1 all, cold": "/"}
    found |= {f"S1 {status.label}": f"/?status={status}" for status in Status}
    found |= {
        "S1 by kind": "/?task_type=EMAIL_CAMPAIGN",
        "S1 last day, failed": "/?since=24h&status=FAILED",
        "S1 oldest first": "/?order=oldest",
        "S1 deep page": f"/?before={deep}",
        "S1 text, found": "/?q=newsletter",
        "S1 text, not found": "/?q=nosuchtext",
        "S1 live": "/tasks/_table/",
        "S1 live, quiet": f"/tasks/_table/?v={version}",
        "S2 task": f"/tasks/{task}/",
        "S3 new task": "/tasks/new/",
        "S3 form": "/tasks/new/DATA_PROCESSING/",
    }
    for name in ("1h", "24h", "7d", "30d"):
        found |= {f"S4 {name}": f"/stats/?range={name}", f"S4 {name}, cold": f"/stats/?range={name}"}
    return found | {
        "S6 workers": "/workers/",
        "admin tasks": "/admin/tasks/task/",
        "API tasks": "/api/tasks",
        "API tasks, failed": "/api/tasks?status=FAILED",
    }


def ask(client: Client, address: str, *, is_cold: bool) -> tuple[float, float, int]:
    """Milliseconds of the wall's clock and of this process, and how many queries it took."""
    from django.core.cache import cache
    from django.db import connection

    if is_cold:
        cache.clear()
    else:
        client.get(address).getvalue()
    asked = []

    def count(execute: Any, *arguments: Any) -> Any:
        asked.append(1)
        return execute(*arguments)

    with connection.execute_wrapper(count):
        wall, cpu = time.perf_counter(), time.process_time()
        response = client.get(address)
        response.getvalue()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert response.status_code in {200, 204}, (address, response.status_code)
    return 1000 * wall, 1000 * cpu, len(asked)


if __name__ == "__main__":
    main()
