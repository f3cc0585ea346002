"""How gunicorn serves TaskHub, under `manage.py up` and by hand: `gunicorn -c taskhub/gunicorn.py taskhub.wsgi`."""

import gc
import logging
import os

from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskhub.settings")

# Two processes, so that one busy with a large upload does not slow the other's pages.
workers = 2
worker_class = "gthread"
threads = settings.WEB_THREADS
# Loaded once and forked: less memory, and a killed process has its successor at once.
preload_app = True
worker_tmp_dir = str(settings.TEMPORARY_DIR)

# With gthread this judges a process's main loop, not a request: an upload may take hours. It is long because the loop
# also stands still while another thread keeps the interpreter, or the disk is busy.
timeout = 120
# An open page asks again every 2 seconds: its connection is kept.
keepalive = 15
graceful_timeout = 10

loglevel = "warning"
# Django answers HEAD with a body and leaves it to the server to drop it, which is then worth a warning each time.
logging.getLogger("gunicorn.http.wsgi").setLevel(logging.ERROR)
# Its socket would lie outside the data folder.
control_socket_disable = True


def pre_fork(server: object, worker: object) -> None:
    """What is loaded stays for good, and ten thousand tasks in one request are no leak: look for garbage less often.

    With Python's own settings that took a third of a large submit.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
