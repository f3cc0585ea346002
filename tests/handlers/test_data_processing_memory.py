from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.data_processing import WORKERS, in_process, made


@pytest.mark.slow
@pytest.mark.parametrize("worker", [name for name in WORKERS if name.startswith("TaskHub")])
def test_a_file_of_300_megabytes_stays_within_the_memory_allowed(worker, settings, tmp_path: Path):
    found = in_process(worker, made(tmp_path / "orders.csv", megabytes=300))
    assert found["peak_mb"] < settings.DUCKDB_MEMORY_MB
