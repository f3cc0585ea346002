"""CSV and its relatives as a source."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tasks.context import Fail
from tasks.handlers.data_processing import content
from tasks.handlers.data_processing.database import quoted
from tasks.handlers.data_processing.dialect import NAMES_OF_SEPARATORS, Dialect, column_names, dialect_of
from tasks.handlers.data_processing.progress import Progress
from tasks.handlers.data_processing.sampling import write_sample
from tasks.handlers.data_processing.source import MISSING_LIST, Source, word_list
from tasks.handlers.data_processing.unpacking import PlainFile, Rewriter, encoding_of, needs_rewriting

LONGEST_LINE = 2_000_000  # bytes, DuckDB's own limit
MOST_REJECTS = 100_000
LONGEST_REJECT = 500


def plain_text(plain: PlainFile, encoding: str, folder: Path, progress: Progress) -> PlainFile:
    """The text as DuckDB reads it without stumbling: as it is, where possible."""
    head = content.head_of(plain.path)
    found = encoding_of(head, encoding, plain.name)
    if not needs_rewriting(head, found):
        return plain
    return Rewriter(plain, found).write(folder / "rewritten", progress)


def delimited_source(plain: PlainFile, folder: Path, *, separator: str, header: str) -> Source:
    """Raises Fail for a text that is no table, or one without rows."""
    head = content.head_of(plain.path).removeprefix(b"\xef\xbb\xbf")
    whole = plain.path.stat().st_size <= content.HEAD
    text = head.decode("utf-8", "replace").replace("\r\n", "\n")
    dialect = dialect_of(text, plain.name, separator=separator, header=header, whole=whole)
    if not dialect.rows:
        raise Fail(_("%(name)s holds a header and no rows below it.") % {"name": plain.name})
    _refuse_long_end(plain)
    names, warnings = column_names(dialect.header, dialect.width)
    write_sample(plain.path, folder / "sample")
    return Source(
        format=_("TSV") if dialect.separator == "\t" else _("CSV"),
        name=plain.name,
        names=names,
        relation=relation(plain.path, dialect),
        sample=relation(folder / "sample", dialect, sample=True),
        first_line=dialect.first_line,
        rejects=True,
        details=_details(plain, dialect),
        warnings=[*text_warnings(plain), *_dialect_warnings(dialect), *warnings],
        path=plain.path,
        dialect=dialect,
    )


def relation(path: Path, dialect: Dialect, *, sample: bool = False) -> str:
    columns = ", ".join(f"c{i}: 'VARCHAR'" for i in range(dialect.width))
    options = [
        quoted(path),
        f"columns = {{{columns}}}",
        f"nullstr = {MISSING_LIST}",
        f"delim = {quoted(dialect.separator)}",
        f"escape = {quoted(dialect.escape)}",
        "quote = '\"'",
        "auto_detect = false",
        "header = false",
        f"skip = {dialect.skipped + bool(dialect.header)}",  # a header of several lines counts once
    ]
    if dialect.padded:
        options += ["null_padding = true", "parallel = false"]
    if sample:
        options.append("ignore_errors = true")
    else:
        limits = f"rejects_limit = {MOST_REJECTS}, rejects_line_size_limit = {LONGEST_REJECT}"
        options += ["store_rejects = true", limits]
    return f"read_csv({', '.join(options)})"


def with_missing(relation: str, words: Iterable[str]) -> str:
    """The same rows, with fewer words for a missing value: DuckDB compares each value with each, which takes time."""
    return relation.replace(f"nullstr = {MISSING_LIST}", f"nullstr = {word_list(words)}")


def _refuse_long_end(plain: PlainFile) -> None:
    """DuckDB passes over a last line beyond its limit without a word."""
    size = plain.path.stat().st_size
    with plain.path.open("rb") as file:
        file.seek(max(0, size - LONGEST_LINE))
        end = file.read().rstrip(b"\n")
    if len(end) > LONGEST_LINE - 1000 and b"\n" not in end:
        message = _("The last line of %(name)s is longer than %(limit)s characters: this is not a table.")
        raise Fail(message % {"name": plain.name, "limit": f"{LONGEST_LINE:,}"})


def text_warnings(plain: PlainFile) -> list[str]:
    warnings = []
    if plain.nuls:
        message = ngettext("%(count)s NUL byte was removed.", "%(count)s NUL bytes were removed.", plain.nuls)
        warnings.append(message % {"count": f"{plain.nuls:,}"})
    return warnings


def _dialect_warnings(dialect: Dialect) -> list[str]:
    warnings = []
    if dialect.skipped:
        message = ngettext(
            "%(count)s line before the table was left out.",
            "%(count)s lines before the table were left out.",
            dialect.skipped,
        )
        warnings.append(message % {"count": dialect.skipped})
    if dialect.padded:
        warnings.append(_("The header names more columns than the rows have: the last ones are empty."))
    return warnings


def text_details(plain: PlainFile) -> dict[str, str]:
    packed = {"packed_as": plain.packed_as} if plain.packed_as else {}
    return {**packed, "encoding": plain.encoding}


def _details(plain: PlainFile, dialect: Dialect) -> dict[str, str]:
    separator = str(NAMES_OF_SEPARATORS.get(dialect.separator, dialect.separator))
    return {
        **text_details(plain),
        "separator": separator if dialect.width > 1 else _("none"),
        "header": _("yes") if dialect.header else _("no"),
    }
