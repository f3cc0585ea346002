"""`manage.py up`, with real processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from tasks.management import supervisor
from tests.hub import MANAGE, empty_database, environment
from tests.processes import living_in_sessions, wait_for


def test_in_local_mode_other_machines_cannot_be_let_in(settings):
    settings.ACCESS = "local"
    with pytest.raises(CommandError, match="TASKHUB_ACCESS=login"):
        call_command("up", host="0.0.0.0", port=0)


def test_a_taken_port_is_told_in_a_sentence():
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(CommandError, match="choose another with --port"),
    ):
        call_command("up", port=taken.getsockname()[1])


@pytest.mark.parametrize("port", [-1, 65_536, 99_999])
def test_a_port_that_there_is_not_is_told_in_a_sentence(port):
    with pytest.raises(CommandError, match="--port must be from 0 to 65535"):
        call_command("up", port=port)


@pytest.mark.parametrize("command", ["up", "qcluster"])
@pytest.mark.parametrize("workers", [0, -1])
def test_a_hub_without_workers_is_refused(command, workers, monkeypatch):
    monkeypatch.setattr("tasks.management.commands.qcluster.Sentinel", None)
    with pytest.raises(CommandError, match="--workers must be at least 1"):
        call_command(command, workers=workers)


def test_a_wrong_setting_stops_the_start_with_its_name(tmp_path):
    ended = subprocess.run(
        [*MANAGE, "up"], env=environment(tmp_path, TASKHUB_WORKERS="many"), capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (1, "TASKHUB_WORKERS is 'many'; it must be a number.\n")


def test_a_database_that_does_not_answer_is_told_in_a_sentence(tmp_path):
    away = environment(tmp_path, DATABASE_URL="postgres://nobody@127.0.0.1:1/none")
    ended = subprocess.run([*MANAGE, "up", "--port", "0"], env=away, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith("CommandError: The database of DATABASE_URL cannot be used")


@pytest.mark.cluster
def test_static_files_that_cannot_be_written_are_told_in_a_sentence(tmp_path):
    (tmp_path / "static").write_text("a file where a folder should be")
    with empty_database(tmp_path) as database:
        ended = subprocess.run(
            [*MANAGE, "up", "--port", "0"],
            env=environment(tmp_path, DATABASE_URL=database),
            capture_output=True,
            text=True,
        )
    assert ended.returncode == 1
    assert f"CommandError: The static files cannot be written to {tmp_path / 'static'}" in ended.stderr


@pytest.mark.cluster
def test_a_fresh_data_folder_becomes_a_hub_at_work(start_hub):
    hub = start_hub()
    wait_for(hub.works)
    assert str(hub.folder) in hub.said


@pytest.mark.cluster
@pytest.mark.parametrize(("part", "name"), [("gunicorn", "web server"), ("qcluster", "cluster")])
def test_a_killed_part_is_started_again_on_the_same_port(part, name, start_hub):
    hub = start_hub()
    wait_for(hub.works)
    killed = hub.part(part).pid
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: (found := hub.part(part)) and found.pid != killed)
    wait_for(hub.works)
    assert f"The {name} ended (SIGKILL)" in hub.said


@pytest.mark.cluster
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_leaves_no_process_behind(number, start_hub):
    hub = start_hub()
    sessions = hub.sessions()
    assert hub.stop(number) == 0
    assert living_in_sessions(sessions) == []


@pytest.mark.cluster
def test_a_second_stop_does_not_wait_for_what_runs(start_hub):
    hub = start_hub()
    slow = hub.submit("EMAIL_SIMULATION", num_emails=100, delay_per_email=10)
    wait_for(lambda: hub.status_of(slow) == "RUNNING")
    sessions = hub.sessions()
    hub.process.send_signal(signal.SIGINT)
    wait_for(lambda: "Stopping: " in hub.said)
    asked = time.monotonic()
    wait_for(lambda: time.monotonic() - asked > supervisor.SECOND_REQUEST_AFTER)
    assert hub.stop(signal.SIGINT) == 0
    assert time.monotonic() - asked < settings.SHUTDOWN_GRACE
    assert living_in_sessions(sessions) == []


@pytest.mark.cluster
def test_a_hub_that_is_killed_takes_its_processes_along(start_hub):
    hub = start_hub()
    sessions = hub.sessions()
    hub.process.kill()
    hub.process.wait()
    wait_for(lambda: not living_in_sessions(sessions), seconds=5)


@pytest.mark.cluster
def test_a_data_folder_has_one_hub_at_a_time(start_hub):
    hub = start_hub()
    second = subprocess.run([*MANAGE, "up", "--port", "0"], env=hub.environment, capture_output=True, text=True)
    assert second.returncode == 1
    assert "is up already on the data folder" in second.stderr
