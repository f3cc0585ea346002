"""TaskHub's settings with a data folder of the test run's own."""

import os
import tempfile
from pathlib import Path

os.environ["TASKHUB_DATA_DIR"] = tempfile.mkdtemp(prefix="taskhub-tests-")
os.environ["TASKHUB_APPS"] = "tests.work"

from taskhub.settings import *  # noqa: F403

Path(STATIC_ROOT).mkdir()  # noqa: F405 - WhiteNoise warns of a missing folder
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405
    # A file, as in real life: other threads and processes see it too.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}  # noqa: F405
