"""How often one person, or one stranger's address, may ask."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.core.cache import caches
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from tasks.accounts.backends import client_address

STRANGERS = 120  # requests a minute from one address


class PerMinute(BaseThrottle):
    """Counts by the minute of the clock, in a cache that all web processes share. Local mode is not limited."""

    left = 60.0

    def allow_request(self, request: Request, view: Any) -> bool:
        if settings.ACCESS == "local" or not settings.REQUESTS_PER_MINUTE:
            return True
        if request.user.is_authenticated:
            who, limit = f"person-{request.user.pk}", settings.REQUESTS_PER_MINUTE
        else:
            who, limit = f"address-{client_address(request._request)}", STRANGERS
        minute, passed = divmod(time.time(), 60)
        self.left = 60 - passed
        return self.counted(f"rate-{who}", minute) <= limit

    def counted(self, key: str, minute: float) -> int:
        counters = caches["shared"]
        last, count = counters.get(key) or (minute, 0)
        count = count + 1 if last == minute else 1
        counters.set(key, (minute, count), 120)
        return count

    def wait(self) -> float:
        return self.left
