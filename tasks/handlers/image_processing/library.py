"""libvips, made ready for files that strangers send: few formats, small caches, loaded at its first use."""

from __future__ import annotations

import logging
import os
from functools import cache
from typing import Any

from django.conf import settings

from tasks.handlers.image_processing.formats import READABLE

# Threads a worker spends on one image: several workers share the machine.
THREADS = 2


@cache
def vips() -> Any:
    """The pyvips module.

    Never imported with this module: the sentinel forks its workers, and a fork after libvips was used hangs the child.
    """
    # libvips asks for it once, when it first needs a temporary file.
    os.environ["TMPDIR"] = str(settings.TEMPORARY_DIR)
    # Its warnings repeat for every tile what the error says once.
    logging.getLogger("pyvips").setLevel(logging.ERROR)
    import pyvips

    pyvips.block_untrusted_set(True)
    pyvips.operation_block_set("VipsForeignLoad", True)
    for readable in READABLE.values():
        pyvips.operation_block_set(readable.loader, False)
    pyvips.concurrency_set(THREADS)
    # No two images are alike: results kept for later would only cost memory.
    pyvips.cache_set_max(0)
    return pyvips
