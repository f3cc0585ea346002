"""Duties by the clock: TaskHub promises that only the dead are buried, and that nothing stays held for ever."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from tasks.engine import host
from tasks.engine.upkeep import CLEARING, PRUNE_STEP, Duty, Reaper, forget_sessions, lock_path, prune
from tasks.files import save_output
from tasks.models import Cluster, Task, TaskFile
from tests.engine.conftest import fresh

pytestmark = pytest.mark.django_db
AGO = timezone.now() - timedelta(days=1)


@pytest.fixture
def reaper(store):
    """The reaper of another cluster, at work without a break for long."""
    reaper = Reaper(store, "ours")
    reaper.steady_since -= 1000
    return reaper


@pytest.fixture
def lock(cluster):
    """The open lock file of the cluster, held."""
    descriptor = os.open(lock_path(cluster.pk), os.O_RDWR | os.O_CREAT)
    assert host.try_lock(descriptor)
    yield descriptor
    with suppress(OSError):  # the test may have closed it
        os.close(descriptor)
    lock_path(cluster.pk).unlink(missing_ok=True)


def test_a_duty_is_done_when_its_time_has_come():
    done = []
    duty = Duty(10, lambda: done.append(1))
    for now in (0, 1, 9.9, 10, 25, 26):
        duty.turn(now)
    assert len(done) == 3


def test_a_cluster_whose_lock_is_held_lives_whatever_its_lease_says(reaper, cluster, lock, make_task, start):
    make_task()
    claimed = start()
    Cluster.objects.update(lease_expires_at=AGO)
    assert reaper.reap() == 0
    assert fresh(claimed).claim == claimed.claim


def test_a_cluster_whose_lock_is_free_is_buried_whatever_its_lease_says(reaper, cluster, lock, make_task, start):
    make_task()
    claimed = start()
    os.close(lock)
    assert reaper.reap() == 1
    task = fresh(claimed)
    assert (task.status, task.losses) == ("PENDING", 1)
    assert task.past_attempts.get().error == "Its worker died with its whole cluster."
    assert not Cluster.objects.exists()
    assert not lock_path(cluster.pk).exists()


def test_temporary_folders_go_with_the_cluster_whose_workers_made_them(reaper, cluster, lock, settings):
    left, others = (settings.TEMPORARY_DIR / f"task-{name}-77-x" for name in (cluster.pk, "living"))
    for folder in (left, others):
        folder.mkdir()
        (folder / "draft").write_text("x")
    reaper.reap()
    assert left.exists()
    os.close(lock)
    reaper.reap()
    assert (left.exists(), others.exists()) == (False, True)


def test_a_cluster_whose_lock_lies_in_another_data_folder_is_judged_by_its_lease(reaper, cluster, make_task, start):
    make_task()
    start()
    assert reaper.reap() == 0
    Cluster.objects.update(lease_expires_at=AGO)
    assert reaper.reap() == 1


def test_nobody_is_buried_by_lease_before_the_reaper_itself_was_steady_for_one(reaper, cluster):
    Cluster.objects.update(lease_expires_at=AGO)
    reaper.renewed(broken=True)
    reaper.reap()
    assert Cluster.objects.exists()


def test_a_reaper_does_not_judge_its_own_cluster(reaper, cluster):
    reaper.cluster = cluster.pk
    Cluster.objects.update(lease_expires_at=AGO)
    reaper.reap()
    assert Cluster.objects.exists()


def test_what_is_held_for_a_cluster_that_is_gone_is_freed_after_a_lease(reaper, cluster, make_task, start, settings):
    make_task()
    claimed = start()
    cluster.delete()
    assert reaper.reap() == 0
    reaper.orphans_since = {claim: since - settings.LEASE for claim, since in reaper.orphans_since.items()}
    assert reaper.reap() == 1
    assert fresh(claimed).claim is None
    assert reaper.reap() == 0
    assert not reaper.orphans_since


def test_old_tasks_are_pruned_and_held_ones_kept(make_task, settings):
    settings.KEEP_DAYS = 0
    old = make_task(status="SUCCESS", completed_at=AGO)
    assert prune() == 0
    settings.KEEP_DAYS = 1
    Task.objects.update(completed_at=AGO - timedelta(hours=1))
    stopping = make_task(status="CANCELLED", completed_at=AGO - timedelta(days=1), claim=5)
    young = make_task(status="FAILED", completed_at=timezone.now())
    assert prune() == 1
    assert set(Task.objects.values_list("pk", flat=True)) == {stopping.pk, young.pk}
    assert old.pk not in {stopping.pk, young.pk}


def test_pruning_goes_on_step_by_step_while_its_budget_lasts(make_task, settings):
    settings.KEEP_DAYS = 1
    for number in range(2 * PRUNE_STEP + 1):
        make_task(status="SUCCESS", completed_at=AGO - timedelta(hours=number + 1))
    assert prune(budget=0) == PRUNE_STEP
    assert prune(budget=60) == PRUNE_STEP + 1
    assert prune(budget=60) == 0


def test_what_is_pruned_takes_its_files_with_it(make_task, settings, django_capture_on_commit_callbacks):
    settings.KEEP_DAYS = 1
    task = make_task(status="SUCCESS", completed_at=AGO - timedelta(hours=1))
    row = save_output(task.pk, "a.txt", b"old", claim=None)
    row.save()
    with django_capture_on_commit_callbacks(execute=True):
        assert prune() == 1
    assert not Path(row.content.path).exists()


def test_sessions_that_have_expired_are_forgotten():
    for key, days in (("old", -1), ("young", 1)):
        Session.objects.create(session_key=key, session_data="", expire_date=timezone.now() + timedelta(days=days))
    forget_sessions()
    assert Session.objects.get().session_key == "young"


def test_what_a_try_saved_without_its_task_ending_by_it_is_cleared_away(make_task):
    def save(task, claim):
        return TaskFile.objects.create(task=task, kind="output", name="a", size=1, claim=claim, created_at=AGO)

    running = save(make_task(status="RUNNING", claim=7), 7)
    published = save(make_task(status="SUCCESS"), None)
    save(make_task(status="FAILED"), 7)
    for _every, clear in CLEARING:
        clear()
    assert set(TaskFile.objects.values_list("pk", flat=True)) == {running.pk, published.pk}
