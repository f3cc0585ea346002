"""The engine's parts, driven in the test's own process."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator

import pytest
from django.utils import timezone

from tasks.engine import host
from tasks.engine.outcome import Claimed
from tasks.engine.slot import Slot
from tasks.engine.store import Store, get_store
from tasks.models import Cluster, Queue, Task


def make_cluster(**fields: object) -> Cluster:
    return Cluster(id=str(uuid.uuid4()), host=host.identity(), hostname="here", pid=os.getpid(), **fields)


@pytest.fixture
def store(db: None) -> Store:
    Queue.objects.get_or_create(name="default")
    return get_store()


@pytest.fixture
def cluster(store: Store) -> Cluster:
    """A cluster that is registered, and whose worker is this process."""
    cluster = make_cluster()
    store.register(cluster)
    return cluster


@pytest.fixture
def claim(store: Store, cluster: Cluster) -> Callable[..., list[Claimed]]:
    """Claims for this process, as its pulse would: `claim(limit=3, fast=["NOOP"])`."""

    def take(limit: int = 1, fast: tuple[str, ...] = (), one: bool = True, queue: str = "default") -> list[Claimed]:
        return store.claim(cluster.pk, os.getpid(), queue, limit, fast, one)

    return take


@pytest.fixture
def start(store: Store, claim: Callable[..., list[Claimed]]) -> Callable[[], Claimed]:
    """Claims and starts the next task."""

    def take_and_start() -> Claimed:
        [claimed] = claim()
        claimed.started = store.start(claimed, timezone.now())
        return claimed

    return take_and_start


@pytest.fixture
def slot() -> Iterator[Slot]:
    slot = Slot()
    yield slot
    slot.close()


def fresh(task: Task | Claimed) -> Task:
    """Its row as it is now."""
    return Task.objects.get(pk=task.id)


class Ear:
    """Hears this news and nothing more, and can be waited for."""

    patience = 1.0

    def __init__(self, *news):
        self.news = list(news)

    def fileno(self):
        return None

    def hear(self):
        news, self.news = self.news, []
        return news

    def close(self): ...

    before_fork = after_fork = close
