"""TaskHub promises that what is submitted runs, once, and that its end is told truly."""

from __future__ import annotations

import time

import pytest
from django.utils import timezone

from tasks import lifecycle
from tasks.models import Status, Task, TaskFile
from tests.cluster.conftest import submit, wait_until
from tests.processes import wait_for

pytestmark = pytest.mark.cluster


@pytest.fixture
def cluster(start_cluster):
    return start_cluster(workers=2)


def test_a_task_runs_from_pending_to_success_with_its_times(cluster):
    task = wait_until(submit("SLEEP", seconds=0.2), "SUCCESS")
    assert task.result_data == 0.2
    assert task.created_at <= task.started_at < task.completed_at
    assert (task.progress, task.attempts, task.claim, task.worker) == (100, 1, None, None)


def test_a_running_task_is_seen_running(cluster):
    task = wait_until(submit("SLEEP", seconds=3), "RUNNING")
    assert task.worker in {worker.pid for worker in cluster.workers}
    assert task.started_at
    assert task.completed_at is None


def test_many_tasks_all_end_and_each_gives_its_own_result(cluster):
    submissions = [lifecycle.Submission("NOOP", {"x": number}) for number in range(3000)]
    lifecycle.submit_many(submissions)
    wait_for(lambda: Task.objects.filter(status="SUCCESS").count() == 3000)
    assert all(task.result_data == task.parameters["x"] for task in Task.objects.all())
    assert not Task.objects.exclude(claim=None).exists()


def test_tasks_of_any_queue_run(cluster):
    wait_until(submit("NOOP", x=1), "SUCCESS")
    wait_until(submit("NOOP", x=1, options={"queue": "reports"}), "SUCCESS", seconds=5)


def test_a_higher_priority_comes_first(start_cluster, mark, marks):
    for priority in (0, 5, -5):
        submit("SLEEP", seconds=priority / 1000 + 0.1, mark=mark, options={"priority": priority})
    cluster = start_cluster(workers=1)
    wait_for(lambda: Task.objects.filter(status="SUCCESS").count() == 3)
    ended = Task.objects.order_by("started_at").values_list("priority", flat=True)
    assert list(ended) == [5, 0, -5]
    assert cluster.stop() == 0


def test_a_timed_task_starts_at_its_time_and_not_before(cluster):
    due = timezone.now() + timezone.timedelta(seconds=1.5)
    task = submit("NOOP", x=1, options={"run_at": due})
    assert (task.status, task.waits_for) == ("PENDING", "time")
    wait_until(task, "SUCCESS")
    assert 0 <= (task.started_at - due).total_seconds() < 0.5


def test_a_failed_attempt_is_tried_again_and_remembered(cluster):
    task = wait_until(submit("FAIL", times=2, options={"max_attempts": 3}), "SUCCESS", "FAILED")
    assert (task.status, task.result_data, task.attempts) == ("SUCCESS", 3, 3)
    assert [attempt.error for attempt in task.past_attempts.all()] == [
        "Attempt 1 went wrong.",
        "Attempt 2 went wrong.",
    ]


def test_a_failure_for_good_is_not_tried_again(cluster):
    task = wait_until(submit("FAIL", retry=False, options={"max_attempts": 3}), "FAILED")
    assert (task.attempts, task.error_message) == (1, "Attempt 1 went wrong.")


@pytest.mark.parametrize(("task_type", "words"), [("RAISE", "KeyError"), ("EXIT", "SystemExit: 4")])
def test_whatever_a_handler_raises_is_kept_as_its_error(cluster, task_type, words):
    task = wait_until(submit(task_type), "FAILED")
    assert words in task.error_message
    assert "Traceback" in task.past_attempts.get().traceback


def test_a_task_whose_type_is_unknown_here_fails_with_a_sentence(cluster):
    task = wait_until(Task.objects.create(task_type="GONE"), "FAILED")
    assert "No task type GONE is known here" in task.error_message


@pytest.mark.parametrize(
    ("what", "status", "result"),
    [
        ("nan", "SUCCESS", [None, None, 1.5]),
        ("nul", "SUCCESS", "a\ufffdb"),
        ("surrogate", "SUCCESS", "a?b"),
        ("plain", "SUCCESS", {"a": [1, None, True]}),
        ("object", "FAILED", None),
        ("huge", "FAILED", None),
        ("deep", "FAILED", None),
    ],
)
def test_a_result_is_stored_or_its_task_says_why_not(cluster, what, status, result):
    good = submit("NOOP", x=1)
    task = wait_until(submit("GIVE", what=what), "SUCCESS", "FAILED")
    assert (task.status, task.result_data) == (status, result)
    assert bool(task.error_message) == (status == "FAILED")
    wait_until(good, "SUCCESS")


def test_a_timeout_is_told_in_words_and_the_next_task_starts_at_once(start_cluster):
    start_cluster(workers=1)
    late = submit("SLEEP_HALF_A_SECOND_AT_MOST", seconds=20)
    after = submit("NOOP", x=1)
    late, after = wait_until(late, "FAILED"), wait_until(after, "SUCCESS")
    assert late.error_message == "Timed out after 0.5 s."
    assert (late.completed_at - late.started_at).total_seconds() < 1.5
    assert (after.started_at - late.completed_at).total_seconds() < 0.5


def test_what_a_handler_says_without_end_costs_two_writes_a_second_and_is_capped(cluster):
    task = wait_until(submit("TALK", lines=20_000), "SUCCESS")
    spent = (task.completed_at - task.started_at).total_seconds()
    assert task.version <= 4 + 2 * spent
    lines = list(task.log_lines.values_list("seq", "message"))
    assert [seq for seq, _ in lines] == list(range(1, len(lines) + 1))
    assert lines[0][1] == "from a library"
    assert (len(lines), lines[-1][1][:15]) == (10_001, "The log is full")


def test_files_of_the_last_try_are_published_with_its_outcome(cluster):
    task = wait_until(submit("SAVE"), "SUCCESS")
    saved = TaskFile.objects.get(task=task)
    with saved.content.open() as content:
        assert (saved.name, saved.claim, content.read()) == ("out.txt", None, b"attempt 2")
    assert task.result_data == "restored {'attempt': 1}"


def test_items_in_flight_when_a_worker_dies_are_unknown_and_never_repeated(cluster, mark, marks):
    task = wait_until(submit("ITEMS", count=10, die_at=4, mark=mark), "SUCCESS")
    assert task.losses == 1
    assert task.result_data == {"done": 9, "unknown": 1}
    assert sorted(word for word, *_ in marks()) == sorted(f"item-{number}" for number in range(10))
    assert task.items.get(state="unknown").key == "item 4"


def test_no_task_waits_while_a_worker_is_free(start_cluster):
    start_cluster(workers=2)
    start_cluster(workers=2)
    begun = time.monotonic()
    for _ in range(5):
        submit("SLEEP", seconds=3)
    wait_for(lambda: Task.objects.filter(status=Status.SUCCESS).count() == 5)
    assert time.monotonic() - begun < 7


def test_a_burst_of_fast_tasks_does_not_wait_behind_slow_ones(start_cluster):
    start_cluster(workers=2)
    for number in range(20):
        wait_until(submit("NOOP", x=number), "SUCCESS")  # now known to be fast
    slow = [submit("SLEEP", seconds=5) for _ in range(2)]
    wait_until(slow[1], "RUNNING")
    start_cluster(workers=2)
    begun = time.monotonic()
    lifecycle.submit_many([lifecycle.Submission("NOOP", {"x": number}) for number in range(200)])
    wait_for(lambda: Task.objects.filter(task_type="NOOP", status="SUCCESS").count() == 220)
    assert time.monotonic() - begun < 4


def test_a_stop_gives_back_what_is_not_started_and_lets_finish_what_runs(start_cluster):
    cluster = start_cluster(workers=2, TASKHUB_SHUTDOWN_GRACE="10")
    tasks = [submit("SLEEP", seconds=1.5) for _ in range(6)]
    wait_until(tasks[1], "RUNNING")
    assert cluster.stop() == 0
    assert [Task.objects.get(pk=task.pk).status for task in tasks] == ["SUCCESS"] * 2 + ["PENDING"] * 4
    assert not Task.objects.exclude(claim=None).exists()
    assert cluster.is_gone()
