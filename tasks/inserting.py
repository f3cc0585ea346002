"""New tasks into the table: by COPY or one prepared statement, twice as fast as by the ORM, and many times if many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from tasks.models import Task

ADAPTED = {"UUIDField", "JSONField", "DateTimeField"}  # the others go as they are


def insert_tasks(tasks: Sequence[Task]) -> None:
    """As `Task.objects.bulk_create`, within the caller's transaction."""
    # Itself, not `django.db.connection`: each attribute of that one is a look into the thread's storage.
    connection = connections[DEFAULT_DB_ALIAS]
    fields: list[Any] = list(Task._meta.concrete_fields)
    columns = ", ".join(connection.ops.quote_name(field.column) for field in fields)
    rows = list(_rows(tasks, fields, connection))
    # Django's cursor leaves the errors of a COPY as they are.
    with connection.cursor() as cursor, connection.wrap_database_errors:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY tasks_task ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            values = ", ".join(["%s"] * len(fields))
            # S608: the columns are our own.
            cursor.executemany(f"INSERT INTO tasks_task ({columns}) VALUES ({values})", rows)  # noqa: S608
    for task in tasks:
        task._state.adding, task._state.db = False, DEFAULT_DB_ALIAS


def _rows(tasks: Iterable[Task], fields: Iterable[Any], connection: BaseDatabaseWrapper) -> Iterator[tuple[Any, ...]]:
    values_of = attrgetter(*(field.attname for field in fields))
    adapts = [(position, adapt) for position, field in enumerate(fields) if (adapt := _adapt(field, connection))]
    for task in tasks:
        values = list(values_of(task))
        for position, adapt in adapts:
            if values[position] is not None:
                values[position] = adapt(values[position])
        yield tuple(values)


def _adapt(field: Any, connection: BaseDatabaseWrapper) -> Callable[[Any], Any] | None:
    """How a value of this field is handed to the database; None where it goes as it is."""
    stored = field.target_field if field.is_relation else field
    if stored.get_internal_type() not in ADAPTED:
        return None
    return lambda value: stored.get_db_prep_value(value, connection)
