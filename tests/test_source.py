"""Rules of the house that the source itself must keep."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

BASE = Path(settings.BASE_DIR)
MODULES = sorted(path for folder in ("tasks", "taskhub") for path in BASE.glob(f"{folder}/**/*.py"))
WRITERS_OF_STATUS = (BASE / "tasks/lifecycle.py", BASE / "tasks/engine/store")


def writes_of_status(tree: ast.AST) -> Iterator[int]:
    """The lines that give a row a status: `task.status = …`, `.update(status=…)`, or an UPDATE of the task table.

    What an object calls its own status (`self.status`), as an answer of HTTP has one, is no row's.
    """
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr="status", value=ast.Name("self")):
                pass
            case ast.Attribute(attr="status", ctx=ast.Store()):
                yield node.lineno
            case ast.Call(func=ast.Attribute(attr="update"), keywords=keywords):
                yield from (node.lineno for keyword in keywords if keyword.arg == "status")
            case ast.Constant(value=str(text)) if "UPDATE TASKS_TASK " in " ".join(text.upper().split()):
                yield node.lineno


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("task.status = 'FAILED'", [1]),
        ("Task.objects.filter(pk=1).update(version=2, status='FAILED')", [1]),
        ("sql = '''UPDATE  tasks_task\n SET status = 1'''", [1]),
        ("self.status = 404", []),
        ("task.status == 'FAILED' and Task.objects.filter(status='FAILED')", []),
    ],
)
def test_each_way_to_write_a_status_is_noticed(source, lines):
    assert list(writes_of_status(ast.parse(source))) == lines


def test_a_status_is_written_in_two_places_only():
    for path in MODULES:
        if not any(path.is_relative_to(writer) for writer in WRITERS_OF_STATUS):
            assert not list(writes_of_status(ast.parse(path.read_text()))), path.relative_to(BASE)


def test_no_template_gives_text_out_unescaped():
    for path in BASE.glob("templates/**/*.html"):
        assert not re.search(r"\|\s*(safe|safeseq)\b|autoescape\s+off", path.read_text()), path.relative_to(BASE)


def test_every_module_opens_with_a_sentence_on_its_duty():
    for path in MODULES:
        text = path.read_text()
        if text.strip() and "migrations" not in path.parts:
            assert ast.get_docstring(ast.parse(text)), path.relative_to(BASE)
