"""Each row of a source read into values of its columns' kinds, as SQL."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.handlers.data_processing.guessing import Column
from tasks.handlers.data_processing.source import Source


def typed(source: Source, columns: Sequence[Column], *, odd: bool = False, texts: bool = False) -> str:
    """Each row read: c0, c1, …

    `odd` is one of whose texts is not of its column's kind, and needs a closer look. With `texts` those of the columns
    that are checked stand beside, as t0, t1, …
    """
    checked = [column for column in columns if is_checked(column)] if odd or texts else []
    values = [f"{_value(column)} AS {column.key}" for column in columns]
    if odd:
        values.append(f"{' OR '.join(is_odd(column) for column in checked) or 'false'} AS odd")
    if texts:
        values += [f"{column.key} AS t{column.index}" for column in checked]
    return f"SELECT {', '.join(values)} FROM ({texts_and_values(source, columns, checked)})"


def texts_and_values(source: Source, columns: Sequence[Column], checked: Sequence[Column]) -> str:
    """Each text read once, as v0, v1, …; the texts of the `checked` columns are kept beside."""
    values = [f"{column.reading.of(column.key)} AS v{column.index}" for column in columns]
    return f"SELECT {', '.join([*(column.key for column in checked), *values])} FROM {source.relation}"


def is_checked(column: Column) -> bool:
    return not column.typed and column.kind != "text"


def is_odd(column: Column) -> str:
    return f"({_value(column)} IS NULL AND {column.key} IS NOT NULL)"


def _value(column: Column) -> str:
    value = f"v{column.index}"
    return f"CASE WHEN isfinite({value}) THEN {value} END" if column.reading.may_be_infinite else value
