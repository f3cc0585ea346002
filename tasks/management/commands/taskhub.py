"""`manage.py taskhub`: submit, look at and act on tasks from a shell of the hub's own machine."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, InterfaceError
from django.db.models import Count
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import ValidationError

from tasks import lifecycle, registry
from tasks.access import local_user
from tasks.filters import TaskFilter, by_id
from tasks.lifecycle import TransitionRefused
from tasks.models import Status, Task
from tasks.parameters import FilesParameter
from tasks.problems import first_sentence, sentences
from tasks.visible import INVISIBLE, for_terminal

LOOK_EVERY = 0.2  # seconds
INTERNAL = {"claim", "parameters_digest"}  # fields of no use to people


class Command(BaseCommand):
    help = "Submit, look at and act on tasks."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", help="Who acts, and owns what is submitted. In local mode: local.")
        actions = parser.add_subparsers(dest="action", required=True)
        self._add_submit(actions.add_parser("submit", help="Submit a task; prints its id."))
        listing = actions.add_parser("list", help="The newest tasks.")
        listing.add_argument("--status", choices=Status.values)
        listing.add_argument("--type", dest="task_type")
        listing.add_argument("-q", help='Words, as in the search box: failed csv before:2d "some text".')
        listing.add_argument("--limit", type=int, default=20)
        for name, words in {
            "show": "Everything about a task.",
            "wait": "Wait until a task has ended; the exit code is 0 if it succeeded.",
            "cancel": "Cancel tasks.",
            "retry": "Retry failed or cancelled tasks; prints the new ids.",
            "log": "A task's log.",
        }.items():
            one = actions.add_parser(name, help=words)
            one.add_argument("task", nargs="+" if name in {"cancel", "retry"} else None, help="An id, or its tail.")
            if name == "wait":
                one.add_argument("--timeout", type=float, help="Seconds.")
            if name == "log":
                one.add_argument("-f", "--follow", action="store_true", help="Go on until the task has ended.")

    def _add_submit(self, submit: ArgumentParser) -> None:
        submit.add_argument("task_type")
        submit.add_argument(
            "-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help="Value: JSON or text."
        )
        submit.add_argument("--file", action="append", default=[], metavar="NAME=PATH", help="Of a file parameter.")
        submit.add_argument("--name", default="")
        submit.add_argument("--queue", default="default")
        submit.add_argument("--priority", type=int, default=0)
        submit.add_argument("--run-at", type=moment, help="ISO 8601; without its zone, in TASKHUB_TIME_ZONE.")
        submit.add_argument("--max-attempts", type=int)
        submit.add_argument("--wait", action="store_true", help="Wait until it has ended.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(options)
        except ValidationError as error:
            raise CommandError("\n".join(sentences(error.detail))) from None
        except TransitionRefused as error:
            raise CommandError(str(error)) from None
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(
                f"The database of DATABASE_URL cannot be used: {str(error).strip()}\n"
                "`manage.py up` makes its tables, `manage.py migrate` too."
            ) from error

    # --- one function an action

    def _submit(self, options: dict[str, Any]) -> None:
        kept = ("name", "queue", "priority", "run_at", "max_attempts")
        more = {name: options[name] for name in kept}
        with ExitStack() as opened:
            parameters = given_values(options["parameter"])
            parameters |= given_files(options["task_type"], options["file"], opened)
            task = lifecycle.submit(options["task_type"], parameters, by=person(options["user"]), **more)
        self.stdout.write(str(task.pk))
        if options["wait"]:
            self._end(task, None)

    def _list(self, options: dict[str, Any]) -> None:
        if options["limit"] < 1:
            raise CommandError("--limit must be at least 1.")
        query = {name: options[name] for name in ("status", "task_type", "q") if options[name]}
        chosen = TaskFilter(query, visible(options["user"]).newest_first())
        if not chosen.is_valid():
            raise CommandError(chosen.errors.as_text())
        for task in chosen.qs[: options["limit"]]:
            self.stdout.write(
                f"{task.pk}  {task.status:9} {task.progress:3.0f} %  {task.task_type:20} {for_terminal(str(task))}"
            )
        for hint in chosen.hints:
            self.stderr.write(hint)

    def _show(self, options: dict[str, Any]) -> None:
        task = named(options["task"], options["user"])
        shown = {field.name: getattr(task, field.attname) for field in Task._meta.concrete_fields}
        shown = {name: value for name, value in shown.items() if name not in INTERNAL}
        shown["parameters"] = registry.shown_parameters(task.task_type, task.parameters)
        shown["items"] = dict(task.items.order_by().values_list("state").annotate(Count("pk")))
        shown["files"] = list(task.files.published().values("id", "name", "kind", "size"))
        shown["past_attempts"] = list(task.past_attempts.values("outcome", "started_at", "ended_at", "error"))
        text = json.dumps(shown, indent=2, ensure_ascii=False, cls=DjangoJSONEncoder)
        self.stdout.write(INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text))

    def _wait(self, options: dict[str, Any]) -> None:
        self._end(named(options["task"], options["user"]), options["timeout"])

    def _cancel(self, options: dict[str, Any]) -> None:
        self._each(options, lambda task, by: f"{lifecycle.cancel(task, by=by).pk} is CANCELLED.")

    def _retry(self, options: dict[str, Any]) -> None:
        self._each(options, lambda task, by: lifecycle.retry(task, by=by).pk)

    def _each(self, options: dict[str, Any], act: Callable[[Task, User | None], object]) -> None:
        """Act on each of the tasks, and say what comes of it; those that refuse do not keep the others from it."""
        by, refused = person(options["user"]), []
        for text in options["task"]:
            try:
                self.stdout.write(str(act(named(text, options["user"]), by)))
            except (CommandError, TransitionRefused) as error:
                refused.append(f"{text}: {error}")
            except ValidationError as error:
                refused.append(f"{text}: {first_sentence(error.detail)}")
        if refused:
            raise CommandError("\n".join(refused))

    def _log(self, options: dict[str, Any]) -> None:
        task, seq = named(options["task"], options["user"]), 0
        while True:
            task.refresh_from_db(fields=["status"])
            for line in task.log_lines.filter(seq__gt=seq).iterator():
                self.stdout.write(f"{line.at:%H:%M:%S} {line.level:7} {for_terminal(line.message)}")
                seq = line.seq
            if task.is_final or not options["follow"]:
                return
            time.sleep(LOOK_EVERY)

    def _end(self, task: Task, timeout: float | None) -> None:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not task.is_final:
            if deadline is not None and time.monotonic() >= deadline:
                raise CommandError(f"{task} is still {task.status}.")
            time.sleep(LOOK_EVERY)
            task.refresh_from_db()
        self.stdout.write(f"{task.status} {for_terminal(task.error_message or task.progress_message)}".strip())
        if task.status != Status.SUCCESS:
            raise SystemExit(1)


def moment(text: str) -> datetime:
    """A time as an argument; one without a zone is meant in the hub's own."""
    try:
        at = parse_datetime(text)
    except ValueError:  # the 31st of February
        at = None
    if at is None:
        raise ArgumentTypeError(f"{text!r} is no time; write it as 2030-01-31T10:00 or 2030-01-31T10:00+02:00.")
    return timezone.make_aware(at) if timezone.is_naive(at) else at


def person(name: str | None) -> User | None:
    """Who acts: the one who is named, in local mode the user `local`, else nobody in particular."""
    if name is None:
        return local_user() if settings.ACCESS == "local" else None
    try:
        return User.objects.get(username=name)
    except User.DoesNotExist:
        raise CommandError(f"There is no user {name}.") from None


def visible(name: str | None) -> Any:
    return Task.objects.visible_to(user) if (user := person(name)) else Task.objects.all()


def named(text: str, name: str | None) -> Task:
    found = list(visible(name).filter(by_id(text, None))[:2])
    if len(found) != 1:
        raise CommandError(f"{'No' if not found else 'More than one'} task has the id {text}.")
    return found[0]


def given_values(pairs: list[str]) -> dict[str, Any]:
    """`num_rows=7` is a number, `subject=Hello` a text."""
    parameters = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        try:
            parameters[name] = json.loads(value)
        except ValueError:
            parameters[name] = value
    return parameters


def given_files(task_type: str, pairs: list[str], opened: ExitStack) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for pair in pairs:
        name, _, path = pair.partition("=")
        upload = as_upload(Path(path), opened)
        if is_list(task_type, name):
            parameters.setdefault(name, []).append(upload)
        else:
            parameters[name] = upload
    return parameters


def is_list(task_type: str, name: str) -> bool:
    try:
        return isinstance(registry.get(task_type).file_parameters.get(name), FilesParameter)
    except registry.UnknownTaskType:
        return False


def as_upload(path: Path, opened: ExitStack) -> UploadedFile[Any]:
    try:
        return UploadedFile(opened.enter_context(path.open("rb")), path.name, size=path.stat().st_size)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}.") from None
