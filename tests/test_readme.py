"""The README is true: its tables, tree, commands and examples are those of the code."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class

from tasks import registry
from tasks.lifecycle import TRANSITIONS
from tasks.models import Status
from tests.hub import MANAGE, environment

BASE = Path(settings.BASE_DIR)
README = (BASE / "README.md").read_text()


def section(title: str) -> str:
    """The text below this heading, up to the next one of its rank."""
    return README.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def blocks(language: str, text: str) -> list[str]:
    """The code blocks of this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def rows(text: str) -> list[str]:
    """The rows of the first table, without its head."""
    return [line for line in text.splitlines() if line.startswith("|")][2:]


# --- The table of moves


def expected_moves() -> Iterator[str]:
    for name, move in TRANSITIONS.items():
        sources = ", ".join(status.value for status in Status if status in move.sources)
        yield f"| {name} | {sources} → {move.target or 'gone'} | {move.by} | {move.guard} |".replace("|  →", "| →")


def test_the_table_of_moves_is_the_codes():
    table = section("The life of a task")
    assert [re.sub(r" +", " ", row) for row in rows(table)] == [re.sub(r" +", " ", row) for row in expected_moves()]


# --- Settings


def settings_read() -> Iterator[tuple[str, str | None]]:
    """Each variable that settings.py reads, with its default; None where that is worked out."""
    for node in ast.walk(ast.parse((BASE / "taskhub/settings.py").read_text())):
        if isinstance(node, ast.Call) and node.args and isinstance(name := node.args[0], ast.Constant):
            called = ast.unparse(node.func)
            if called.startswith("env."):
                yield str(name.value), default_of(called, node)


def default_of(called: str, node: ast.Call) -> str | None:
    given = [keyword.value for keyword in node.keywords if keyword.arg == "default"]
    written = given or node.args[1:2] or ([ast.Constant(False)] if called == "env.flag" else [])
    try:
        value = ast.literal_eval(written[0])
    except (IndexError, ValueError):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list) else str(value)


def documented() -> dict[str, str]:
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows(section("Settings"))]
    return {name.strip("`"): default for name, default, _ in cells}


def test_every_setting_that_is_read_is_in_the_table_and_no_other():
    assert set(documented()) == {name for name, _ in settings_read()}


@pytest.mark.parametrize(("name", "default"), [(name, default) for name, default in settings_read() if default])
def test_the_table_gives_each_settings_default(name, default):
    assert documented().get(name) == f"`{default}`"


def test_the_environment_is_read_in_the_settings_alone():
    passing_on = {"tasks/management/commands/up.py"}  # gives its parts the environment it has
    for path in BASE.glob("tasks/**/*.py"):
        name = str(path.relative_to(BASE))
        if name not in passing_on:
            assert not re.search(r"os\.environ\[[^]]*\](?! =)|os\.environ\.get|getenv", path.read_text()), name


def test_django_is_content_with_the_settings_for_production(tmp_path):
    [block] = [block for block in blocks("sh", section("Operation")) if block.startswith("TASKHUB_ACCESS")]
    production = environment(tmp_path) | dict(line.split("=", 1) for line in block.splitlines())
    checked = subprocess.run(
        [*MANAGE, "check", "--deploy", "--fail-level", "WARNING"], env=production, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr


# --- What is named is there


def test_everything_in_the_tree_exists_and_every_module_is_in_it():
    [tree] = blocks("", section("The house"))
    names = [name for line in tree.splitlines() for name in re.split(r" {2,}", line)[:-1]]
    assert len(names) > 20
    assert [name for name in names if not (BASE / name).exists()] == []
    modules = {str(path.relative_to(BASE)) for path in BASE.glob("tasks/[!_]*")}
    assert modules - {name.rstrip("/") for name in names} == set()


def test_every_link_to_a_file_leads_somewhere():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert [link for link in links if not (BASE / link).exists()] == []


def test_every_command_and_option_exists():
    used = set(re.findall(r"manage\.py ([a-z_]+)", README))
    assert used <= set(get_commands())
    parser = load_command_class("tasks", "up").create_parser("manage.py", "up")
    offered = {option for action in parser._actions for option in action.option_strings}
    assert set(re.findall(r"`(--[a-z]+)`", section("Operation"))) <= offered


# --- A new task type


def test_the_new_task_type_passes_its_test(monkeypatch):
    monkeypatch.setattr(registry, "_types", dict(registry._types))
    handler, test = blocks("python", section("A new task type"))
    exec(compile(handler, "word_count.py", "exec"), {"__name__": "word_count"})
    scope: dict[str, object] = {"__name__": "test_word_count"}
    exec(compile(test, "test_word_count.py", "exec"), scope)
    [run] = [value for name, value in scope.items() if name.startswith("test_")]
    run()


def test_every_handler_has_its_test():
    own = [kind for kind in registry.all_types() if kind.handler.__module__.startswith("tasks.handlers.")]
    assert own
    for kind in own:
        name = kind.handler.__module__.split(".")[2]
        assert list((BASE / "tests/handlers").glob(f"test_{name}*.py")) or (BASE / "tests/handlers" / name).is_dir(), (
            f"{kind.name} has no test: tests/handlers/test_{name}.py"
        )


# --- The API


def test_the_curl_commands_show_what_a_refusal_says():
    [script] = blocks("sh", section("API"))
    assert script.count("curl ") == script.count("curl -s --fail-with-body ") > 5


@pytest.mark.cluster
def test_the_curl_commands_work_as_they_stand(start_hub, tmp_path):
    hub = start_hub()
    [script] = blocks("sh", section("API"))
    script = script.replace("http://127.0.0.1:8000/", hub.address)
    ran = subprocess.run(["bash", "-eux", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
