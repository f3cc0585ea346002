"""Counting tasks as they end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from tasks.models import Rollup, RollupCursor, Status, Task
from tasks.stats import RANGES, answer, count_anew, roll_up, rollup
from tasks.stats.rollup import fingerprint

pytestmark = pytest.mark.django_db


def end(ago: float = 60, took: float = 2, **fields) -> Task:
    """A task that ended `ago` seconds ago, after it ran for `took`, having waited for one second."""
    ended = timezone.now() - timedelta(seconds=ago)
    started = ended - timedelta(seconds=took)
    due = started - timedelta(seconds=1)
    fields = {
        "status": "SUCCESS",
        "started_at": started,
        "completed_at": ended,
        "created_at": due,
        "run_at": due,
    } | fields
    return Task.objects.create(task_type=fields.pop("task_type", "NOOP"), **fields)


def finished(name: str = "24h", **of) -> int:
    return answer(name, **of).total.finished


def test_each_task_that_ended_is_counted_once_however_often_it_is_asked():
    for status in (Status.SUCCESS, Status.SUCCESS, Status.FAILED, Status.CANCELLED):
        end(status=status)
    Task.objects.create(task_type="NOOP")
    for _time in range(3):
        roll_up()
    total = answer("1h").total
    assert (total.succeeded, total.failed, total.cancelled) == (2, 1, 1)
    assert finished("24h") == finished("30d") == 4


def test_tasks_are_counted_in_bounded_steps(monkeypatch):
    monkeypatch.setattr("tasks.stats.rollup.STEP", 3)
    for number in range(10):
        end(ago=60 + number)
    roll_up(budget=0)
    assert 3 <= finished() < 10
    for _time in range(10):
        roll_up(budget=0)
    assert finished() == 10


def test_what_is_committed_late_is_counted_by_the_final_count():
    end(ago=3000)
    roll_up()
    end(ago=4000)  # ended before what is counted already, committed after it
    end(ago=2000)
    RollupCursor.objects.filter(final=True).update(counted_to=None)
    Rollup.objects.filter(final=True).delete()
    roll_up()
    start = timezone.now() - timedelta(days=1)
    counted = Rollup.objects.filter(span="minute", owner=0, start__gte=start)
    assert sum(row.succeeded for row in counted.filter(final=False)) == 2
    assert sum(row.succeeded for row in counted.filter(final=True)) == 3


def test_a_span_is_read_from_the_final_count_once_that_has_passed_it():
    end(ago=3000)
    roll_up()
    assert finished("1h") == 1
    end(ago=3000 + 61)
    RollupCursor.objects.filter(final=True).update(counted_to=timezone.now() - timedelta(hours=1, minutes=1))
    Rollup.objects.filter(final=True).delete()
    end(ago=1500)
    roll_up()
    assert finished("1h") == 3


def test_a_count_that_dies_before_it_is_stored_is_made_again(monkeypatch):
    end()

    def die(*args):
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr("tasks.stats.rollup._add", die)
        with pytest.raises(RuntimeError):
            roll_up()
    roll_up()
    assert finished() == 1


def test_tasks_that_are_deleted_while_they_are_counted_are_no_fault(monkeypatch):
    last_of_step = rollup._last_of_step

    def last_before_they_are_deleted(ended):
        upto = last_of_step(ended)
        Task.objects.all().delete()
        return upto

    end(ago=3000)
    monkeypatch.setattr(rollup, "_last_of_step", last_before_they_are_deleted)
    assert roll_up() == 0


def test_durations_and_waits_are_told_within_a_few_per_cent():
    for took in range(1, 101):
        end(took=took)
    roll_up()
    total = answer("24h").total
    assert total.p50 == pytest.approx(50, rel=0.1)
    assert total.p95 == pytest.approx(95, rel=0.1)
    assert total.wait_p95 == pytest.approx(1, rel=0.1)
    assert total.longest_wait == pytest.approx(1, abs=0.01)


def test_what_never_started_has_neither_duration_nor_wait():
    end(status="CANCELLED", started_at=None)
    roll_up()
    total = answer("24h").total
    assert (total.cancelled, total.p50, total.wait_p95) == (1, None, None)


def test_a_person_is_told_of_their_own_tasks_alone(owner, stranger):
    end(owner=owner, status="FAILED", error_message="the owner's secret")
    roll_up()
    assert finished(owner=owner.pk) == 1
    strangers = answer("24h", owner=stranger.pk)
    assert (strangers.total.finished, strangers.errors, strangers.slowest) == (0, [], [])


def test_errors_of_one_kind_are_one():
    for line in (7, 1842):
        end(status="FAILED", error_message=f"Line {line}: 11 fields where the header has 9\nand so on")
    end(status="FAILED", error_message="Timed out after 600 s")
    roll_up()
    [(first, count, _last), (second, _count, _at)] = answer("24h").errors
    assert (first, count) == ("Line …: … fields where the header has …", 2)
    assert second == "Timed out after … s"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("No file 01a20c79-7e57-710d-93e5-48063391f6a8 in /data/x/y.csv", "No file … in …"),
        ("'Bob' <bob@example.org> has no box", "… … has no box"),
        ("1,204.5 of 3", "… of …"),
        ("", ""),
    ],
)
def test_a_fingerprint_leaves_out_what_differs(message, expected):
    assert fingerprint(message) == expected


def test_the_slowest_tasks_come_first():
    slow = [str(end(took=took).pk) for took in (5, 50, 20, 0.01)]
    roll_up()
    assert [key for _seconds, key in answer("24h").slowest] == [slow[1], slow[2], slow[0]]


@pytest.mark.parametrize("name", ["1h", "24h", "7d", "30d"])
def test_every_range_has_its_bars_and_the_one_before(name):
    chosen = answer(name).range
    end(ago=chosen.length.total_seconds() / 2)
    end(ago=chosen.length.total_seconds() * 1.5)
    roll_up()
    found = answer(name)
    assert found.total.finished == sum(bucket.finished for bucket in found.buckets) == 1
    assert found.before.finished == 1


def test_old_minutes_go_and_days_stay():
    end(ago=86_400 * 200)
    roll_up()
    roll_up()
    assert set(Rollup.objects.values_list("span", flat=True)) == {"day"}


def test_a_small_type_is_told_apart_from_all():
    end()
    end(task_type="OTHER")
    roll_up()
    assert finished(task_type="OTHER") == 1
    assert [kind for kind, _bucket in answer("24h").kinds] in (["NOOP", "OTHER"], ["OTHER", "NOOP"])


@pytest.mark.parametrize("name", ["24h", "7d", "30d"])
@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York", "Europe/Zurich"])
def test_no_hour_is_lost_in_any_zone_nor_when_its_clocks_are_changed(name, zone, settings, monkeypatch):
    settings.TIME_ZONE = zone
    monkeypatch.setitem(rollup.KEPT, Rollup.Span.HOUR, timedelta(days=36_500))
    now = datetime(2026, 10, 25, 12, 10, tzinfo=UTC)  # in Zurich the clocks were put back this night
    length = RANGES[name].length
    for part in range(50):
        end(ago=(timezone.now() - now + length * 0.9 * part / 50).total_seconds())
    roll_up()
    found = answer(name, now=now)
    assert found.total.finished == sum(bucket.finished for bucket in found.buckets) == 50
    assert found.buckets[-1].start <= now < found.buckets[-1].start + found.range.bucket


def test_what_is_counted_for_good_is_added_up_once(django_assert_num_queries):
    for hours in range(20):
        end(ago=3600 * hours + 60)
    roll_up()
    now = timezone.now()
    first = answer("24h", now=now)
    with django_assert_num_queries(2):  # how far the final count is, and what is not settled yet
        again = answer("24h", now=now)
    assert again == first
    end(ago=30, task_type="OTHER")
    roll_up()
    assert answer("24h", now=now).total.finished == first.total.finished + 1
    count_anew()
    assert answer("24h", now=now).total.finished == 0


def test_statistics_cost_the_same_with_more_tasks(django_assert_max_num_queries):
    for number in range(50):
        end(ago=number * 1000)
    roll_up()
    with django_assert_max_num_queries(4):
        answer("7d")
