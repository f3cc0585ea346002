"""The workers page: TaskHub promises that it stays short, however many queues there have been."""

from __future__ import annotations

import pytest

from tasks import lifecycle
from tasks.models import Queue

pytestmark = pytest.mark.django_db


def test_of_many_queues_those_with_work_and_the_paused_ones_are_listed(client, make_task):
    Queue.objects.bulk_create(Queue(name=f"used-{number:03}") for number in range(100))
    make_task(queue="used-098")
    lifecycle.pause_queue("used-099")
    page = client.get("/workers/").content.decode()
    assert page.count('id="queue-') == 50
    assert page.index('id="queue-used-000"') < page.index('id="queue-used-098"') < page.index('id="queue-used-099"')
    assert "51 more" in page


def test_of_few_queues_all_are_listed(client, make_task):
    Queue.objects.create(name="used")
    page = client.get("/workers/").content.decode()
    assert page.count('id="queue-') == Queue.objects.count()
    assert " more<" not in page
