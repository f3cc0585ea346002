"""COMMAND: allowed commands alone, their output as the log, their failures as sentences, no process left behind."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest
from django.template.loader import render_to_string
from rest_framework.exceptions import ValidationError

from tasks import registry
from tasks.context import Fail, TaskContext, TaskInterrupted
from tasks.testing import MemoryRecorder, run_handler


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, tmp_path, settings):
    """What the command's own process is started with."""
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "taskhub.settings")
    monkeypatch.setenv("TASKHUB_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)  # a database of its own, in that folder
    settings.COMMANDS = ["check", "shell", "migrate"]


def run(command, *arguments, **options):
    return run_handler("COMMAND", {"command": command, "arguments": list(arguments)}, **options)


def python(code, **options):
    return run("shell", "--no-imports", "-c", code, **options)


def test_an_allowed_command_runs_and_its_output_is_the_log():
    outcome = run("check")
    assert outcome.log == ["System check identified no issues (0 silenced)."]
    assert (outcome.result["exit_code"], outcome.result["lines"]) == (0, 1)
    assert outcome.files["output.txt"] == b"System check identified no issues (0 silenced).\n"


def test_a_command_that_is_allowed_no_longer_does_not_run(settings):
    settings.COMMANDS = ["migrate"]
    context = TaskContext(uuid.uuid4(), MemoryRecorder())
    with pytest.raises(Fail, match="check is not among the allowed commands: migrate"):
        registry.get("COMMAND").handler(context, command="check", arguments=[], time_limit=5)


def test_no_shell_reads_the_arguments():
    outcome = python("import sys; print('$HOME; `id` && true | cat')")
    assert outcome.log == ["$HOME; `id` && true | cat"]


def test_what_is_said_on_the_error_output_is_a_warning():
    outcome = python("import sys; sys.stderr.write('careful\\n'); print('done')")
    assert sorted(outcome.recorder.lines) == [("info", "done"), ("warning", "careful")]


def test_a_line_without_an_end_and_a_letter_that_is_none_are_kept():
    outcome = python("import sys; sys.stdout.buffer.write(b'one\\r\\ntw\\xff'); sys.stdout.flush()")
    assert outcome.log == ["one", "tw\N{REPLACEMENT CHARACTER}"]


def test_an_endless_line_is_cut_and_not_gathered_for_ever():
    outcome = python("print('x' * 200_000)")
    assert sum(map(len, outcome.log)) == 200_000
    assert max(map(len, outcome.log)) < 2 * 65_536


def test_a_command_error_is_told_in_its_own_words():
    assert run("migrate", "nowhere").failed == (
        "migrate ended with exit code 1: No installed app with label 'nowhere'."
    )


def test_an_allowed_command_that_there_is_not_is_told_as_such(settings):
    settings.COMMANDS = ["nosuch", "version"]
    assert run("nosuch").failed == "There is no management command of the name nosuch."
    assert run("version").failed is None


def test_an_exit_code_and_a_signal_are_failures():
    assert python("raise SystemExit(3)").failed == "shell ended with exit code 3."
    assert python("import os; os.kill(os.getpid(), 9)").failed == "shell was ended by signal 9."


@pytest.mark.parametrize("command", ["flush", "../manage", "", "check; id"])
def test_what_is_not_allowed_is_refused_by_the_settings_of_now(command):
    with pytest.raises(ValidationError) as refusal:
        run(command)
    assert list(refusal.value.detail) == ["command"]
    assert "among the allowed commands: check, shell, migrate." in str(refusal.value.detail["command"][0])


def test_a_command_that_is_no_longer_allowed_is_refused(settings):
    settings.COMMANDS = []
    with pytest.raises(ValidationError, match="none"):
        run("check")


@pytest.mark.parametrize("argument", ["--settings=evil", "--pythonpath", "--pyth=/tmp", "--set", "a\0b"])
def test_arguments_that_bring_in_code_are_refused(argument):
    with pytest.raises(ValidationError):
        run("check", argument)


def test_the_form_offers_what_is_allowed():
    assert list(registry.get("COMMAND").serializer.fields["command"].choices) == ["check", "shell", "migrate"]


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().split()[2] != "Z"


@pytest.mark.parametrize("stubborn", [False, True])
def test_an_interrupt_takes_the_command_with_it(stubborn):
    code = "import os, signal, time\n"
    code += "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if stubborn else ""
    code += "print(os.getpid())\nwhile True: print('busy'); time.sleep(0.01)"
    recorder = MemoryRecorder(interrupt_after=5)
    with pytest.raises(TaskInterrupted):
        python(code, recorder=recorder)
    pid = int(recorder.lines[0][1])
    assert pid != os.getpid()
    assert not is_alive(pid)


def test_a_task_is_named_by_its_command_line_and_summed_up_in_a_line():
    kind = registry.get("COMMAND")
    parameters = kind.validate({"command": "migrate", "arguments": ["tasks", "--plan"], "time_limit": 60})
    assert kind.name_for(parameters) == "migrate tasks --plan"
    assert kind.timeout_for(parameters) == 60
    assert kind.summarize({"lines": 3, "seconds": 1.25}) == "3 lines in 1.2 s"


def test_the_result_page_shows_the_command_as_text():
    result = run("check", "--tag", "models").result | {"arguments": ["<script>"]}
    page = render_to_string("tasks/results/command.html", {"result": result})
    assert "manage.py check &lt;script&gt;" in page
