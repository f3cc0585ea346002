"""How long one waits for the database to look through tasks: on PostgreSQL a statement that takes longer is ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext as _

PATIENCE = 3  # seconds, for people
PATIENCE_OF_PROGRAMS = 15
CANCELED = "57014"  # PostgreSQL's word for a statement that was ended


class TookTooLong(Exception):
    """The database was still looking when patience ended."""

    def __str__(self) -> str:
        return _(
            "The database was stopped while it was still looking. Narrow the filter: name a status, a kind or a time, "
            "such as after:2d."
        )


@contextmanager
def patience(seconds: float | None = None) -> Iterator[None]:
    """Around statements that no index bounds. Who has left the page long ago is not looked for either."""
    if connection.vendor != "postgresql":
        yield
        return
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('statement_timeout', %s, true)", [f"{int((seconds or PATIENCE) * 1000)}"]
                )
            yield
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != CANCELED:
            raise
        raise TookTooLong from error
