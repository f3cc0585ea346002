"""What a handler is given, and words for what it ends with."""

from __future__ import annotations

import contextlib
import json
import logging
import traceback
from collections.abc import Iterator
from typing import Any

from rest_framework.exceptions import ValidationError

from tasks import files, registry
from tasks.context import Fail, TaskInterrupted
from tasks.engine.outcome import Claimed, clean_text
from tasks.masking import masked_text
from tasks.models import Task
from tasks.parameters import StoredFile

log = logging.getLogger("tasks.engine.handling")


def loaded(value: Any) -> Any:
    """A JSON column's value, which comes as text from some databases."""
    return json.loads(value) if isinstance(value, str) else value


def parameters_for(kind: registry.TaskType, claimed: Claimed) -> dict[str, Any]:
    """What the handler gets. Validated again only when the declaration has changed since the submit."""
    stored = loaded(claimed.parameters)
    if kind.is_plain and claimed.parameters_digest == kind.digest:
        return stored
    if kind.file_parameters:
        by_id = files.stored_files(Task(id=claimed.uuid))
        stored = {
            name: _with_files(value, by_id) if name in kind.file_parameters else value for name, value in stored.items()
        }
    return kind.validate(stored)


def _with_files(value: Any, by_id: dict[str, StoredFile]) -> Any:
    if isinstance(value, list):
        return [_with_files(one, by_id) for one in value]
    if value is None:
        return None
    if value not in by_id:
        raise Fail(f"Its file {value} is no longer there.")
    return by_id[value]


def sentence_for(error: BaseException, task_type: str) -> str:
    """What people read of an error."""
    return masked_text(_sentence_for(error, task_type))


def _sentence_for(error: BaseException, task_type: str) -> str:
    if isinstance(error, Fail):
        return words_of(error)
    if isinstance(error, registry.UnknownTaskType):
        return f"No task type {task_type} is known here: its handler was removed, or its app is not in TASKHUB_APPS."
    if isinstance(error, ValidationError):
        return f"Its parameters do not fit: {' '.join(_sentences(error.detail))}"
    if isinstance(error, MemoryError):
        return "It ran out of memory."
    words = words_of(error)
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def words_of(error: BaseException) -> str:
    """What an error says; nothing, if saying it fails: an error may be of any class."""
    with contextlib.suppress(Exception):
        return str(error)
    return ""


def _sentences(detail: Any) -> Iterator[str]:
    """The sentences of a ValidationError, however deep."""
    if isinstance(detail, str):
        yield str(detail)
    else:
        for inner in detail.values() if isinstance(detail, dict) else detail:
            yield from _sentences(inner)


def trace_of(error: BaseException) -> str:
    if isinstance(error, Fail | TaskInterrupted | registry.UnknownTaskType):
        return ""
    with contextlib.suppress(Exception):
        return masked_text("".join(traceback.format_exception(error, limit=-50)))
    return ""


def summary_of(task_type: str, value: Any) -> str:
    """One line on a result, by the type's own `summarize`."""
    summarize = registry.get(task_type).summarize
    if summarize is None:
        return ""
    try:
        return clean_text(masked_text(str(summarize(value))))[:200]
    except Exception as error:  # noqa: BLE001 - a type's own callable; its task has succeeded all the same
        log.warning("The summary of a %s failed: %s", task_type, words_of(error))
        return ""
