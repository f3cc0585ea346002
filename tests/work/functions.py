"""Functions decorated with Django's `@task`, as somebody's app has them."""

from __future__ import annotations

from django_tasks import TaskContext, task


@task
def add(a: int, b: int = 1) -> int:
    return a + b


@task(priority=5, queue_name="mail")
def greet(name: str) -> str:
    return f"Hello {name}"


@task(takes_context=True)
def which_attempt(context: TaskContext) -> int:
    return context.attempt


@task
async def later(x: int) -> int:
    return x * 2


@task
def break_down() -> None:
    raise LookupError("No such column.")


@task
def give_back_a_set() -> set[int]:
    return {1}


def undecorated() -> str:
    return "this is no task"
