#!/usr/bin/env python
"""The command line of TaskHub: `manage.py up` starts everything."""

import os
import sys


def main() -> None:
    if sys.platform == "win32":
        raise SystemExit("TaskHub runs on Linux and macOS. On Windows, run it in WSL or in a container.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskhub.settings")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError as error:
        raise SystemExit(
            f"{error}. Is the virtual environment in use, and are the requirements installed?\n"
            "    .venv/bin/pip install -r requirements.txt"
        ) from error
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        raise SystemExit(str(error)) from error
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
