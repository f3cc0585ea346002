"""Wake-ups: TaskHub promises that whoever listens hears of work at once, and that telling harms nobody."""

from __future__ import annotations

import select
import socket

import pytest
from django.db import connection
from django.utils import timezone

from tasks import lifecycle
from tasks.engine import wakeup
from tasks.engine.wakeup import News, SocketEar, get_ear
from tests.processes import wait_for

on_sqlite = pytest.mark.skipif("connection.vendor != 'sqlite'", reason="only on SQLite: sockets in the data folder")
on_postgresql = pytest.mark.skipif("connection.vendor == 'sqlite'", reason="only on PostgreSQL: LISTEN and NOTIFY")


@pytest.fixture
def ear(transactional_db):
    ear = get_ear("test")
    ear.fileno()
    list(ear.hear())
    yield ear
    ear.close()


def hear(ear, seconds=5):
    """What is heard once there is anything to hear."""
    assert select.select([ear.fileno()], [], [], seconds)[0]
    return list(ear.hear())


@pytest.mark.parametrize("news", [News(), News(ready=3), News(due=timezone.now()), News(cancelled=True)])
def test_news_arrive_as_they_were_sent(news):
    assert News.decode(news.encode()) == news


@pytest.mark.parametrize("text", ["", "x", "[]", "[1]", '{"a": 1}', '["many", null, false]', "[1, 1e99, false]"])
def test_what_is_no_news_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - any of its kinds
        News.decode(text)


def test_a_submit_is_heard_with_its_number_and_its_time(ear):
    lifecycle.submit("NOOP")
    assert hear(ear) == [News(ready=1)]
    due = timezone.now().replace(microsecond=0) + timezone.timedelta(hours=1)
    lifecycle.submit("NOOP", run_at=due)
    assert hear(ear) == [News(due=due)]


def test_a_cancel_is_heard(ear):
    task = lifecycle.submit("NOOP")
    hear(ear)
    lifecycle.cancel(task)
    assert hear(ear) == [News(cancelled=True)]


@on_sqlite
def test_a_lost_message_is_made_up_for_by_the_change_counter(ear):
    assert list(ear.hear()) == []
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("UPDATE tasks_queue SET name = name")
    other.close()
    assert list(ear.hear()) == [News(ready=1, cancelled=True)]
    assert list(ear.hear()) == []


@on_sqlite
def test_a_deep_data_folder_takes_sockets_too(tmp_path, settings):
    settings.DATA_DIR = tmp_path / ("deep" * 30)
    (settings.DATA_DIR / "clusters").mkdir(parents=True)
    ear = SocketEar("test")
    wakeup.tell(News(ready=2))
    assert hear(ear) == [News(ready=2)]
    ear.close()
    assert not list((settings.DATA_DIR / "clusters").iterdir())


@on_sqlite
def test_sockets_that_nobody_hears_and_full_ones_stop_nobody(ear):
    left = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    left.bind(str(wakeup.socket_folder() / "left.sock"))
    left.close()
    for _ in range(2000):
        wakeup.tell(News(ready=1))
    assert News(ready=1) in hear(ear)
    (wakeup.socket_folder() / "left.sock").unlink()


@on_sqlite
def test_telling_without_a_descriptor_left_raises_nothing(ear, monkeypatch):
    def refuse(*_):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socket", refuse)
    wakeup.tell(News(ready=1))


@on_postgresql
def test_a_cut_connection_is_opened_again(ear):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [ear._connection.connection.info.backend_pid])
    wait_for(lambda: list(ear.hear()) == [] and ear._connection is None)
    assert ear.fileno() is not None
    wakeup.tell(News(ready=1))
    [missed, told] = hear(ear)
    assert told == News(ready=1)
    assert (missed.ready, missed.cancelled) == (wakeup.EVERYBODY, True)  # whatever was told while it was cut
    assert missed.due <= timezone.now()


def test_what_is_told_while_a_worker_is_born_is_not_missed(ear):
    ear.before_fork()
    wakeup.tell(News(cancelled=True))
    ear.after_fork()
    assert any(news.cancelled for news in ear.hear())


@on_postgresql
def test_telling_over_a_dead_connection_raises_nothing(transactional_db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    connection.connection.close()
    wakeup.tell(News(ready=1))
    connection.close()
