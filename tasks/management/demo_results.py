"""What the made-up tasks have to show: a whole result of each type, that its page shows in the type's own way.

A made-up task has no files, so its images and messages name none.
"""

from __future__ import annotations

from random import Random
from typing import Any

NOT_APPLICABLE = dict.fromkeys(
    ("min", "max", "mean", "std", "q25", "q50", "q75", "sum", "outliers", "shortest", "longest", "top", "top_is_exact",
     "histogram")
)  # fmt: skip
BELL = (3, 9, 22, 41, 58, 64, 55, 38, 24, 13, 7, 4)  # how a histogram's bars stand to each other
COUNTRIES = ("DE", "AT", "CH", "FR", "NL", "PL")
FORMATS = {"csv": {"format": "CSV", "encoding": "UTF-8", "separator": ";"}, "parquet": {"format": "Parquet"},
           "xlsx": {"format": "Excel", "sheet": "Sheet 1"}}  # fmt: skip
PEOPLE = ("ada", "bela", "chen", "dora", "emil", "fatou", "goran", "hana", "ines", "jan")
SHOWN = 5  # messages of a mailing


def data_processing(name: str, seconds: float, chance: Random) -> dict[str, Any]:
    """A table of orders."""
    rows = chance.randrange(500, 200_000)
    missing = rows // 50
    bins = [rows * share // sum(BELL) for share in BELL]
    bins[5] += rows - sum(bins)
    mean = round(chance.uniform(40, 60), 2)
    total, most = round(mean * rows, 2), 119.9
    columns = [
        _column("order_id", "integer", "whole numbers", rows, min=10_001, max=10_000 + rows, mean=10_000 + (rows + 1) / 2,
                std=round(rows / 12**0.5, 2), q25=10_000 + rows // 4, q50=10_000 + rows // 2, q75=10_000 + rows * 3 // 4,
                sum=10_000 * rows + rows * (rows + 1) // 2, outliers=0),
        _column("amount", "number", "decimal point", rows, distinct=min(rows, 9_412), min=0.0, max=most, mean=mean,
                std=19.46, q25=mean - 13, q50=mean - 1, q75=mean + 12, sum=total, outliers=bins[-1],
                histogram=[{"from": 10 * n, "to": 10 * n + 10, "count": count} for n, count in enumerate(bins)]),
        _column("country", "text", "text", rows, nulls=missing, distinct=len(COUNTRIES), shortest=2, longest=2,
                top=_top(rows - missing), top_is_exact=True, min="AT", max="PL"),
    ]  # fmt: skip
    return {
        "rows_processed": rows, "total_sum": float(columns[0]["sum"]), "average": columns[0]["mean"],
        "max_value": float(10_000 + rows), "min_value": 10_001.0, "numeric_column": "order_id",
        "processing_time": round(seconds, 3), "file": {"name": name, **FORMATS[name.rpartition(".")[2]]}, "rows": rows,
        "empty_cells": missing, "empty_share": round(missing / rows / len(columns), 6), "sampled_rows": None,
        "repeated_rows": 0, "lines_set_aside": 0, "warnings": [], "columns": columns,
        "correlations": [{"a": "order_id", "b": "amount", "r": round(chance.uniform(-0.2, 0.2), 4)}],
        "first_rows": {
            "names": [column["name"] for column in columns],
            "rows": [[10_001 + n, round(chance.uniform(5, most), 2), chance.choice(COUNTRIES)] for n in range(5)],
        },
    }  # fmt: skip


def _column(name: str, kind: str, written: str, rows: int, nulls: int = 0, **facts: Any) -> dict[str, Any]:
    values = rows - nulls
    return {
        "name": name, "type": kind, "written": written, "values": values, "nulls": nulls, "unreadable": 0,
        "distinct": values, "distinct_is_exact": True, **NOT_APPLICABLE, **facts,
    }  # fmt: skip


def _top(values: int) -> list[dict[str, Any]]:
    """Each country half as often as the one before; the first has what is left."""
    counts = [values >> place for place in range(2, len(COUNTRIES) + 1)]
    return [
        {"value": country, "count": count}
        for country, count in zip(COUNTRIES, [values - sum(counts), *counts], strict=True)
    ]


def image_processing(name: str, seconds: float, chance: Random) -> dict[str, Any]:
    """Some photos, made smaller."""
    entries = [_image(number, chance) for number in range(1, chance.randrange(3, 8))]
    before, after = (sum(entry[size] for entry in entries) for size in ("original_size", "new_size"))
    return {
        "total_images": len(entries), "processed_successfully": len(entries), "failed": 0, "output_format": "WEBP",
        "target_size": "800x600", "processed_images": entries, "failed_images": [], "total_original_size": before,
        "total_new_size": after, "total_size_saved": before - after, "archive_size": after + 300 * len(entries),
    }  # fmt: skip


def _image(number: int, chance: Random) -> dict[str, Any]:
    size = chance.randrange(1_800_000, 4_200_000)
    new_size = size // chance.randrange(18, 40)
    return {
        "original_name": f"photo-{number:02}.jpg", "output_name": f"photo-{number:02}.webp", "original_size": size,
        "new_size": new_size, "compression_ratio": round(size / new_size, 2), "dimensions": "800x600",
        "original_dimensions": "4032x3024", "original_format": "JPEG", "original_file": None, "frames": 1, "outputs": [],
    }  # fmt: skip


def email_simulation(name: str, seconds: float, chance: Random) -> dict[str, Any]:
    count = chance.randrange(3, len(PEOPLE))
    return _mailing(name, seconds, count, 0, "written") | {"delivered_to": "outbox"}


def email_campaign(name: str, seconds: float, chance: Random) -> dict[str, Any]:
    failed = chance.choice((0, 0, 0, 1, 2))
    return _mailing(name, seconds, len(PEOPLE), failed, "250 2.0.0 Ok: queued") | {
        "delivered_to": "server", "dry_run": False, "pace": 5.0,
    }  # fmt: skip


def _mailing(subject: str, seconds: float, count: int, failed: int, answer: str) -> dict[str, Any]:
    people = [f"{name}@example.com" for name in PEOPLE[:count]]
    sender = "TaskHub <hub@example.com>"
    return {
        "total_emails": count, "sent_successfully": count - failed, "failed": failed, "unknown": 0, "skipped": 0,
        "sent_emails": [
            {"email": email, "subject": subject, "status": "sent", "sent_at": "2026-01-01T09:00:00Z", "answer": answer}
            for email in people[failed:]
        ],
        "failed_emails": [
            {"email": email, "subject": subject, "status": "failed", "error": "550 5.1.1 No such mailbox here"}
            for email in people[:failed]
        ],
        "unknown_emails": [], "skipped_emails": [], "subject": subject, "from": sender, "reply_to": "",
        "preview": [
            {"from": sender, "to": email, "reply_to": "", "subject": subject,
             "text": f"Hello {email.partition('@')[0].title()},\n\nthis is what is new.\n", "html": "",
             "attachments": [], "headers": {}, "file": None}
            for email in people[:SHOWN]
        ],
        "warnings": [], "processing_time": round(seconds, 3),
    }  # fmt: skip
