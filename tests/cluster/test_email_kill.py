"""TaskHub promises that a campaign whose worker is killed in its midst sends to nobody twice, and forgets nobody."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter

import pytest

from tasks import lifecycle
from tasks.models import Task
from tests.cluster.conftest import submit, wait_until
from tests.processes import wait_for

pytestmark = pytest.mark.cluster

RECIPIENTS = 2000
EVERYBODY = [f"r{number}@example.org" for number in range(RECIPIENTS)]
REFUSED = set(EVERYBODY[::97])
PUT_OFF = set(EVERYBODY[5::101])


@pytest.fixture
def server(mail_server):
    mail_server.at_rcpt |= {address: ["550 no such mailbox here"] * 9 for address in REFUSED}
    mail_server.at_rcpt |= {address: ["451 come back later"] for address in PUT_OFF - REFUSED}
    return mail_server


def campaign() -> Task:
    given = {"subject": "News", "body": "For $email", "pace": 1000, "retry_after": 0.5}
    return submit("EMAIL_CAMPAIGN", recipients=EVERYBODY, **given)


def states_of(task: Task) -> dict[str, str]:
    return dict(task.items.values_list("key", "state"))


def assert_nobody_got_it_twice(server) -> None:
    assert {len(messages) for messages in server.messages.values()} == {1}


def test_killed_in_the_midst_of_2000_recipients_it_sends_to_nobody_twice(server, start_cluster):
    start_cluster(workers=1, EMAIL_URL=f"smtp://127.0.0.1:{server.port}")
    task = campaign()
    for milestone in (300, 900, 1500):
        wait_for(lambda: server.count >= milestone + random.randrange(50), seconds=60)  # noqa: B023
        task.refresh_from_db()
        os.kill(task.worker, signal.SIGKILL)
    task = wait_until(task, "SUCCESS", seconds=120)
    states = states_of(task)
    assert_nobody_got_it_twice(server)
    assert states.keys() == set(EVERYBODY)
    # Each one is accounted for: refused, sent, or in flight at one of the three deaths.
    by_state = {state: {key for key in states if states[key] == state} for state in ("done", "failed", "unknown")}
    assert by_state["failed"] == REFUSED - by_state["unknown"]
    assert by_state["done"] <= server.messages.keys()
    assert len(by_state["unknown"]) <= task.losses == 3
    assert sum(map(len, by_state.values())) == RECIPIENTS
    counts, result = Counter(states.values()), task.result_data
    assert result["sent_successfully"] == counts["done"]
    assert (result["failed"], result["unknown"]) == (counts["failed"], counts["unknown"])


def test_cancelled_and_retried_at_once_it_sends_to_nobody_twice_and_to_everybody(server, start_cluster):
    start_cluster(workers=2, EMAIL_URL=f"smtp://127.0.0.1:{server.port}")
    task = campaign()
    wait_for(lambda: server.count >= 200, seconds=60)
    again = lifecycle.retry(lifecycle.cancel(task))
    again = wait_until(again, "SUCCESS", seconds=120)
    assert_nobody_got_it_twice(server)
    assert server.messages.keys() == set(EVERYBODY) - REFUSED
    assert set(states_of(again).values()) == {"done", "failed"}
