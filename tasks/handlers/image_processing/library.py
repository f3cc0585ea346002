"""libvips, made ready for files that strangers send: few formats, small caches, loaded at its first use."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
from functools import cache
from typing import Any

from django.conf import settings

from tasks.handlers.image_processing.formats import READABLE

# Several workers share the machine; and each thread, of the encoders too, holds its part of the image.
THREADS = 1
# Of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8


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
    _spare_memory()
    # No two images are alike: results kept for later would only cost memory.
    pyvips.cache_set_max(0)
    return pyvips


def _spare_memory() -> None:
    """Have glibc give back what an image took, in place of keeping a heap for every thread that libvips starts.

    Measured on a set of 12-megapixel PNGs: 30 MB in place of 70. Other C libraries have no such function.
    """
    with contextlib.suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, 32 * 1024)
        mallopt(M_TRIM_THRESHOLD, 64 * 1024)
