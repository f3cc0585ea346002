"""COMMAND: runs a Django management command that the settings allow, with its output as the task's log."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.management import get_commands
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from rest_framework import serializers

from tasks.context import Fail, TaskContext
from tasks.masking import masked, masked_text
from tasks.registry import task_type

# Options of every management command that bring in code of one's own.
FORBIDDEN = ("--settings", "--pythonpath")
# Commands of manage.py itself, which Django does not name among all others.
BUILT_IN = {"help", "version"}
STOP_SECONDS = 3
LONGEST_LINE = 65_536
OUTPUT_CAP = 50 * 1024 * 1024


def not_allowed(command: Any) -> str:
    known = {"input": command, "allowed": ", ".join(settings.COMMANDS) or _("none")}
    return _("{input} is not among the allowed commands: {allowed}.").format(**known)


class CommandField(serializers.ChoiceField):
    """One of the commands that the settings allow now, not when the field was declared."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[], **kwargs)

    def _get_choices(self) -> dict[str, str]:
        return {name: name for name in settings.COMMANDS}

    choices = property(_get_choices, lambda self, choices: None)

    def to_internal_value(self, data: Any) -> str:
        if data not in settings.COMMANDS:
            raise serializers.ValidationError(not_allowed(data), code="not_allowed")
        return data


class Parameters(serializers.Serializer[Any]):
    command = CommandField(
        label=gettext_lazy("Command"), help_text=gettext_lazy("A management command that TASKHUB_COMMANDS allows.")
    )
    arguments = serializers.ListField(
        child=serializers.CharField(max_length=2000, trim_whitespace=False),
        default=list,
        max_length=100,
        label=gettext_lazy("Arguments"),
        help_text=gettext_lazy("One a line, as they are: no shell reads them, so nothing needs quotes."),
    )
    time_limit = serializers.IntegerField(
        default=3600,
        min_value=1,
        max_value=86_400,
        label=gettext_lazy("Time limit"),
        help_text=gettext_lazy("Seconds after which the command is stopped."),
    )

    def validate_arguments(self, arguments: list[str]) -> list[str]:
        for argument in arguments:
            name = argument.partition("=")[0]
            # A command also takes the beginning of an option for the whole.
            if len(name) > 2 and any(option.startswith(name) for option in FORBIDDEN):
                raise serializers.ValidationError(_("%(name)s cannot be given here.") % {"name": name})
            if "\0" in argument:
                raise serializers.ValidationError(_("An argument cannot hold a NUL character."))
        return arguments


class Result(serializers.Serializer[Any]):
    command = serializers.CharField()
    arguments = serializers.ListField(child=serializers.CharField())
    exit_code = serializers.IntegerField()
    lines = serializers.IntegerField()
    seconds = serializers.FloatField()
    file = serializers.UUIDField(help_text=gettext_lazy("All that it said."))


def name_for(parameters: Mapping[str, Any]) -> str:
    return " ".join([parameters["command"], *masked(parameters["arguments"])])[:200]


def summarize(result: Mapping[str, Any]) -> str:
    return ngettext("%(lines)d line in %(seconds).1f s", "%(lines)d lines in %(seconds).1f s", result["lines"]) % result


@task_type(
    "COMMAND",
    label=gettext_lazy("Management command"),
    parameters=Parameters,
    result=Result,
    icon="command",
    timeout=lambda parameters: parameters["time_limit"],
    make_name=name_for,
    summarize=summarize,
    result_template="tasks/results/command.html",
    description=gettext_lazy("Run an allowed Django management command, with its output as the live log."),
    hidden=not settings.COMMANDS,
)
def command(context: TaskContext, *, command: str, arguments: list[str], time_limit: int) -> dict[str, Any]:
    if command not in settings.COMMANDS:  # they may have changed since the submit
        raise Fail(not_allowed(command))
    if command not in get_commands().keys() | BUILT_IN:
        raise Fail(_("There is no management command of the name %(command)s.") % {"command": command})
    started = time.monotonic()
    with context.temporary_folder() as folder:
        path = folder / "output.txt"
        with running([command, *arguments], context) as process, closing(Output(path)) as output:
            for level, line in lines_of(process):
                context.log(line, level)
                output.add(level, masked_text(line))
            code = process.wait()
        file = context.save_file(path.name, path)
    if code != 0:
        raise Fail(failure(command, code, output.last_error), retry=True)
    return {
        "command": command,
        "arguments": masked(arguments),
        "exit_code": code,
        "lines": output.lines,
        "seconds": round(time.monotonic() - started, 2),
        "file": str(file),
    }


def failure(command: str, code: int, last_error: str) -> str:
    """The sentence for a command that ended badly; a CommandError's words are in the last line of its errors."""
    known = {"command": command, "code": abs(code), "said": last_error.removeprefix("CommandError: ")}
    if code < 0:
        return _("%(command)s was ended by signal %(code)d.") % known
    if last_error:
        return _("%(command)s ended with exit code %(code)d: %(said)s") % known
    return _("%(command)s ended with exit code %(code)d.") % known


class Output:
    """Everything the command says, as a file: a task's log keeps only so much."""

    def __init__(self, path: Path) -> None:
        self.lines, self.last_error = 0, ""
        self._file = path.open("w", encoding="utf-8")
        self._left = OUTPUT_CAP

    def add(self, level: str, line: str) -> None:
        self.lines += 1
        if level == "warning" and line.strip():
            self.last_error = line
        if self._left > 0:
            self._left -= self._file.write(f"{line}\n")

    def close(self) -> None:
        self._file.close()


@contextmanager
def running(arguments: list[str], context: TaskContext) -> Iterator[subprocess.Popen[bytes]]:
    """`manage.py` as a process of its own, which does not outlive the block.

    It stays in its worker's process group: whoever has to kill the worker kills it, too.
    """
    process = subprocess.Popen(  # noqa: S603 - no shell, and the settings say what may run
        [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        yield process
    finally:
        with context.uninterrupted():
            if process.poll() is None:
                stop(process)
            for stream in (process.stdout, process.stderr):
                assert stream is not None
                stream.close()


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, and see to it that it does."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def lines_of(process: subprocess.Popen[bytes]) -> Iterator[tuple[str, str]]:
    """Level and text of each line as it comes: what it says is info, what it says on its error output a warning."""
    with selectors.DefaultSelector() as selector:
        for stream, level in ((process.stdout, "info"), (process.stderr, "warning")):
            assert stream is not None
            selector.register(stream, selectors.EVENT_READ, Lines(stream, level))
        while selector.get_map():
            for key, _events in selector.select():
                yield from key.data.read()
                if key.data.ended:
                    selector.unregister(key.fileobj)


class Lines:
    """Cuts what comes out of one stream into lines; the end of a line that is not complete waits."""

    def __init__(self, stream: IO[bytes], level: str) -> None:
        self.stream, self.level = stream, level
        self.rest = b""
        self.ended = False

    def read(self) -> list[tuple[str, str]]:
        chunk = os.read(self.stream.fileno(), LONGEST_LINE)
        self.ended = not chunk
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        if self.rest and (self.ended or len(self.rest) >= LONGEST_LINE):
            lines, self.rest = [*lines, self.rest], b""
        return [(self.level, line.decode(errors="replace").rstrip("\r")) for line in lines]
