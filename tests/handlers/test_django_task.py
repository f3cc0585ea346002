"""DJANGO_TASK calls decorated functions; tests/test_backend.py has what the framework promises of them."""

from __future__ import annotations

from tasks.handlers.django_task import signed
from tasks.testing import run_handler


def call(function, *args, **kwargs):
    return run_handler("DJANGO_TASK", signed(f"tests.work.functions.{function}", list(args), kwargs))


def test_the_function_gets_its_arguments_and_its_result_is_the_tasks():
    assert call("add", 2, b=3).result == 5


def test_a_function_that_takes_the_context_knows_its_attempt():
    assert run_handler("DJANGO_TASK", signed("tests.work.functions.which_attempt", [], {}), attempt=3).result == 3


def test_a_function_without_the_decorator_is_not_called():
    assert call("undecorated").failed == "tests.work.functions.undecorated is not decorated with @task."
