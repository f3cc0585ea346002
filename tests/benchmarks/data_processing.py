"""A profile beside pandas reading the same CSV and describing it, each in a process of its own: seconds, peak memory.

Run it with `python -m tests.benchmarks.data_processing`; `--mb 200` takes a smaller file than the usual 1000. A file of
one's own goes in with `--file`. pandas is measured twice: `describe()` knows the numeric columns only,
`describe(include="all")` also counts distinct and commonest values, as the profile does for every column.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BYTES_A_ROW = 172
TARGET_SPEED, TARGET_MEMORY = 4, 4

# Orders of a shop, as such exports are: keys, times, amounts, and a good many texts.
ORDERS = """
    SELECT 100000 + i AS order_id,
        DATE '2023-01-01' + CAST(1000 * random() AS INTEGER) AS ordered_on,
        strftime(TIMESTAMP '2023-01-01' + to_seconds(CAST(8e7 * random() AS BIGINT)), '%Y-%m-%d %H:%M:%S') AS paid_at,
        names[1 + CAST(floor(20 * random()) AS INTEGER)] || ' ' || shops[1 + CAST(floor(10 * random()) AS INTEGER)]
            AS customer,
        'customer' || CAST(400000 * random() AS INTEGER) || '@example.org' AS email,
        cities[1 + CAST(floor(12 * random()) AS INTEGER)] AS city,
        countries[1 + CAST(floor(6 * random() * random()) AS INTEGER)] AS country,
        'SKU-' || lpad(CAST(CAST(5000 * random() AS INTEGER) AS VARCHAR), 6, '0') AS product,
        names[1 + CAST(floor(20 * random()) AS INTEGER)] || ' ' || colours[1 + CAST(floor(5 * random()) AS INTEGER)]
            AS description,
        1 + CAST(floor(-3 * ln(1e-9 + random())) AS INTEGER) AS quantity,
        round(exp(1 + 3 * random()), 2) AS price,
        round(1000 * random() * random(), 2) AS total,
        CASE WHEN random() < 0.3 THEN 'NA' ELSE CAST(round(60 * random() * random(), 1) AS VARCHAR) END AS discount,
        random() < 0.3 AS express,
        states[1 + CAST(floor(5 * random()) AS INTEGER)] AS state,
        channels[1 + CAST(floor(4 * random()) AS INTEGER)] AS channel,
        round(30 * random(), 3) AS weight,
        CASE WHEN random() < 0.5 THEN NULL ELSE CAST(1 + floor(5 * random()) AS INTEGER) END AS rating,
        round(180 * random() - 90, 5) AS latitude,
        CASE WHEN random() < 0.6 THEN NULL ELSE 'leave it with ' || names[1 + CAST(floor(20 * random()) AS INTEGER)] END
            AS note
    FROM range({rows}) AS numbers(i), (SELECT
        ['Amber', 'Birch', 'Cedar', 'Dahlia', 'Elm', 'Fern', 'Gorse', 'Hazel', 'Iris', 'Juniper', 'Kale', 'Larch',
            'Maple', 'Nettle', 'Olive', 'Poplar', 'Quince', 'Rowan', 'Sorrel', 'Thyme'] AS names,
        ['Bakery', 'Books', 'Cycles', 'Garden', 'Hotel', 'Kitchen', 'Press', 'Tools', 'Travel', 'Works'] AS shops,
        ['Aarhus', 'Basel', 'Berlin', 'Bremen', 'Gdansk', 'Graz', 'Hamburg', 'Lyon', 'Rotterdam', 'Utrecht', 'Wien',
            'Zürich'] AS cities,
        ['DE', 'AT', 'CH', 'NL', 'FR', 'PL'] AS countries,
        ['red', 'green', 'blue', 'black', 'white'] AS colours,
        ['new', 'paid', 'packed', 'sent', 'returned'] AS states,
        ['web', 'phone', 'shop', 'partner'] AS channels)
"""


def main() -> None:
    arguments = parsed()
    if arguments.worker:
        print(json.dumps(measured(WORKERS[arguments.worker], arguments.file)))
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = arguments.file or made(Path(folder) / "orders.csv", arguments.mb)
        print(
            f"{path.name}: {path.stat().st_size / 1e6:,.0f} MB\n{'':42}{'seconds':>9}{'of processor':>14}{'peak MB':>9}"
        )
        found = {worker: in_process(worker, path) for worker in WORKERS}
    for pandas in ("pandas, describe()", 'pandas, describe(include="all")'):
        compare(found[PROFILE], found[pandas], pandas)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=1000)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--folder", type=Path, help="where to put the file that is made, and all that is written")
    parser.add_argument("--worker")
    return parser.parse_args()


def made(path: Path, megabytes: int) -> Path:
    import duckdb

    rows = megabytes * 1_000_000 // BYTES_A_ROW
    duckdb.execute("SET threads = 2; SET memory_limit = '1GB'; SET preserve_insertion_order = false")
    duckdb.execute(f"COPY ({ORDERS.format(rows=rows)}) TO '{path}' (HEADER)")
    return path


def in_process(worker: str, path: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.data_processing", "--worker", worker, "--file", str(path)]
    environment = os.environ | {"TMPDIR": str(path.parent), "DJANGO_SETTINGS_MODULE": "tests.settings"}
    answer = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found = json.loads(answer.stdout)
    print(f"{worker:42}{found['seconds']:>9.1f}{found['processor']:>14.1f}{found['peak_mb']:>9,.0f}")
    return found


def measured(prepared: Callable[[Path], Callable[[], Any]], path: Path) -> dict[str, float]:
    """The work alone: libraries are loaded before the clock starts."""
    work = prepared(path)
    before, begun = processor_seconds(), time.monotonic()
    work()
    return {
        "seconds": time.monotonic() - begun,
        "processor": processor_seconds() - before,
        "peak_mb": peak_megabytes(),
    }


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_megabytes() -> float:
    """Of this program alone: getrusage also counts what the process held before it became this program."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def profile(path: Path, *, clean_copy: bool = False) -> Callable[[], Any]:
    import django
    import duckdb  # noqa: F401 - the handler loads it only when it runs

    django.setup()
    from tasks.testing import MemoryRecorder, run_handler

    class Discarding(MemoryRecorder):
        """Files are written and then let go: kept in memory they would count as the profile's."""

        def save_file(self, name: str, content: Any) -> Any:
            if isinstance(content, Path):
                content.unlink()
                content = b""
            return super().save_file(name, content)

    def work() -> None:
        run = run_handler("DATA_PROCESSING", {"file": path, "clean_copy": clean_copy}, recorder=Discarding())
        assert run.result, run.failed

    return work


def pandas_describes(path: Path, include: str | None) -> Callable[[], Any]:
    import pandas

    return lambda: pandas.read_csv(path).describe(include=include)


PROFILE = "TaskHub, profile"
WORKERS: dict[str, Callable[[Path], Callable[[], Any]]] = {
    PROFILE: profile,
    "TaskHub, profile, clean CSV and Parquet": lambda path: profile(path, clean_copy=True),
    "pandas, describe()": lambda path: pandas_describes(path, None),
    'pandas, describe(include="all")': lambda path: pandas_describes(path, "all"),
}


def compare(ours: dict[str, float], theirs: dict[str, float], what: str) -> None:
    faster, smaller = theirs["seconds"] / ours["seconds"], theirs["peak_mb"] / ours["peak_mb"]
    reached = faster >= TARGET_SPEED and smaller >= TARGET_MEMORY
    print(f"against {what}: {faster:.1f} times faster, 1/{smaller:.1f} of the memory{'' if reached else ' (short)'}")


if __name__ == "__main__":
    main()
