"""The engine's SQL: one file per database, what they share in `base`."""

from django.db import connection

from tasks.engine.store.base import Store


def get_store() -> Store:
    """The store for the configured database."""
    if connection.vendor == "postgresql":
        from tasks.engine.store.postgresql import PostgresStore

        return PostgresStore()
    from tasks.engine.store.sqlite import SqliteStore

    return SqliteStore()


__all__ = ["Store", "get_store"]
