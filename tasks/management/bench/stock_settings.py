"""TaskHub's settings with django-q2 as it comes: its ORM queue on the same database."""

import os

from taskhub.settings import *  # noqa: F403

Q_CLUSTER = {
    "name": os.environ.get("BENCH_NAME", "bench"),
    "orm": "default",
    "workers": int(os.environ.get("BENCH_WORKERS", "2")),
    "timeout": 60,
    "retry": 120,
    "save_limit": 0,
    "log_level": "ERROR",
}
