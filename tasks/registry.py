"""Which task types exist: a handler registers itself with `@task_type`, and nothing else names it."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils import translation
from django.utils.functional import Promise
from rest_framework import serializers

from tasks.masking import MASK, masked
from tasks.parameters import FileParameter, FilesParameter, StoredFile

Text = str | Promise
Handler = Callable[..., Any]
# A limit in seconds, none, or a function of the parameters.
Timeout = float | None | Callable[[Mapping[str, Any]], float | None]
Result = type[serializers.Serializer[Any]] | serializers.Field[Any, Any, Any, Any] | None


class NoParameters(serializers.Serializer[Any]):
    """Of a task type that takes none."""


class UnknownTaskType(LookupError):
    """No task type has this name."""


# What DRF validates to exactly what JSON holds: a stored value can be handed to a handler as it is.
PLAIN_FIELDS = (
    serializers.BooleanField,
    serializers.CharField,
    serializers.ChoiceField,
    serializers.FloatField,
    serializers.IntegerField,
    serializers.JSONField,
)


def is_secret(declared: serializers.Field[Any, Any, Any, Any]) -> bool:
    """Whether it is declared as what is shown to nobody: `write_only=True`, or the style of a password."""
    return bool(declared.write_only) or declared.style.get("input_type") == "password"


def is_plain(declared: serializers.Field[Any, Any, Any, Any]) -> bool:
    if isinstance(declared, serializers.ListField):
        return is_plain(declared.child)
    return isinstance(declared, PLAIN_FIELDS) and not isinstance(declared, serializers.MultipleChoiceField)


@dataclass(frozen=True, eq=False)
class TaskType:
    """A kind of task: its name, handler, parameters and limits.

    `timeout` is in seconds and may be a function of the parameters; `backoff` is the pause before the second attempt,
    in seconds, and doubles with each further one; `memory_mb` limits by how much a try may grow its worker's memory.
    `make_name` gives a task's name from its parameters, `summarize` one line for the task list from its result.
    `sample` gives parameters that show the type at work; a file among them is a pair of a name and its bytes.
    `retry_items` names the states of a task's items that its plain retry does again ("pending,failed"): for work that
    must not happen twice. `result` declares, for the documentation alone, what the handler gives back: a serializer for
    an object, a field for a plain value. `preview` gives from validated parameters, files and all, what
    `preview_template` shows before they are submitted, or raises ValidationError. `notice` gives what a person should
    know of this hub before they fill in the form, or nothing.
    """

    name: str
    handler: Handler
    label: Text
    parameters: type[serializers.Serializer[Any]] = NoParameters
    result: Result = None
    description: Text = ""
    timeout: Timeout = 3600.0
    max_attempts: int = 1
    backoff: float = 10.0
    memory_mb: int | None = None
    icon: str = "task"
    result_template: str = "tasks/results/_plain.html"
    make_name: Callable[[Mapping[str, Any]], str] | None = None
    summarize: Callable[[Any], str] | None = None
    sample: Callable[[], Mapping[str, Any]] | None = None
    retry_items: str = ""
    preview: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    preview_template: str = ""
    notice: Callable[[], Text] | None = None
    hidden: bool = False  # not offered on the pages

    @cached_property
    def serializer(self) -> serializers.Serializer[Any]:
        """One instance for all validation: building the fields anew would cost more than checking them."""
        return self.parameters()

    @cached_property
    def file_parameters(self) -> dict[str, FileParameter | FilesParameter]:
        fields = self.serializer.fields
        return {name: f for name, f in fields.items() if isinstance(f, FileParameter | FilesParameter)}

    @cached_property
    def secret_parameters(self) -> frozenset[str]:
        """Those that are declared as secret, whatever they are called."""
        return frozenset(name for name, declared in self.serializer.fields.items() if is_secret(declared))

    @cached_property
    def is_plain(self) -> bool:
        """Whether stored parameters are, as they are, what validation would give."""
        return all(is_plain(declared) for declared in self.serializer.fields.values())

    @cached_property
    def digest(self) -> str:
        """Changes with the declaration of the parameters; the worker validates again when it has changed."""
        # In no language: a page and a worker must come to the same.
        with translation.override(None):
            declared = [f"{name}={field!r}" for name, field in self.serializer.fields.items()]
        with contextlib.suppress(OSError, TypeError):  # a class made in a shell has no source
            declared.append(inspect.getsource(self.parameters))
        return hashlib.sha256("\n".join(declared).encode()).hexdigest()[:16]

    def validate(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters as the handler gets them, defaults filled in.

        Raises rest_framework's ValidationError with the faults field by field; an unknown parameter is one.
        """
        if not isinstance(parameters, Mapping):
            raise serializers.ValidationError({"non_field_errors": ["Parameters must be an object."]})
        if unknown := [name for name in parameters if name not in self.serializer.fields]:
            known = ", ".join(self.serializer.fields) or "none"
            message = f"Unknown parameter. {self.name} takes: {known}."
            raise serializers.ValidationError({name: [message] for name in unknown})
        return dict(self.serializer.run_validation(dict(parameters)))

    def to_json(self, validated: Mapping[str, Any]) -> dict[str, Any]:
        """What is stored: validated parameters as JSON, files as their ids."""
        if self.is_plain:
            return dict(validated)
        fields = self.serializer.fields
        return {
            name: None if value is None else fields[name].to_representation(value) for name, value in validated.items()
        }

    def timeout_for(self, validated: Mapping[str, Any]) -> float | None:
        """The limit in seconds for a task with these parameters; None is no limit."""
        return self.timeout(validated) if callable(self.timeout) else self.timeout

    def name_for(self, validated: Mapping[str, Any]) -> str:
        """What people recognise such a task by: made by the type, else its first file's name, else its label."""
        if self.make_name and (made := self.make_name(validated)):
            return str(made)
        for parameter in self.file_parameters:
            value = validated.get(parameter)
            files = value if isinstance(value, list) else [value] if value else []
            if files:
                more = f" and {len(files) - 1} more" if len(files) > 1 else ""
                return f"{getattr(files[0], 'name', files[0])}{more}"
        return str(self.label)


_types: dict[str, TaskType] = {}


def task_type(
    name: str, *, label: Text, parameters: type[serializers.Serializer[Any]] = NoParameters, **options: Any
) -> Callable[[Handler], Handler]:
    """Register the decorated handler as a task type; `options` are the further fields of `TaskType`.

    Raises ImproperlyConfigured where another handler has taken the name.
    """

    def register(handler: Handler) -> Handler:
        taken = _types.get(name)
        if taken and (taken.handler.__module__, taken.handler.__qualname__) != (
            handler.__module__,
            handler.__qualname__,
        ):
            raise ImproperlyConfigured(
                f"The task type {name} of {handler.__module__} is taken by {taken.handler.__module__}."
            )
        described = options.pop("description", None) or inspect.getdoc(handler) or ""
        _types[name] = TaskType(name, handler, label, parameters, description=described, **options)
        return handler

    return register


def get(name: str) -> TaskType:
    """The task type of this name. Raises UnknownTaskType."""
    try:
        return _types[name]
    except (KeyError, TypeError):
        raise UnknownTaskType(name) from None


def shown_parameters(task_type: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Stored parameters as people may see them: what is secret by its name, its content or its declaration is masked."""
    secret = _types[task_type].secret_parameters if task_type in _types else frozenset()
    return {name: MASK if value and name in secret else value for name, value in masked(dict(parameters)).items()}


def all_types() -> Iterator[TaskType]:
    """Every task type, by label."""
    yield from sorted(_types.values(), key=lambda t: str(t.label))


__all__ = ["StoredFile", "TaskType", "UnknownTaskType", "all_types", "get", "shown_parameters", "task_type"]
