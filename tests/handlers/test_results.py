"""Every built-in task type gives back what it declares: each declared key, no other, and values that fit."""

from __future__ import annotations

from typing import Any

import pytest
from django_tasks import task

from tasks import registry
from tasks.api.schemas import result_schema
from tasks.handlers.django_task import signed
from tasks.testing import run_handler
from tests.handlers.web_server import web_server

BUILT_IN = sorted(kind.name for kind in registry.all_types() if kind.handler.__module__.startswith("tasks.handlers."))
FAILING = ("list.txt", b"bela@example.com\nbela@example.com\nada@example.com\n")


@task
def greeting(name):
    return {"greeting": f"Hello {name}"}


@pytest.fixture
def sample(tmp_path, monkeypatch, settings):
    """Parameters by task type, of those whose own sample needs the world outside or shows too little."""
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "taskhub.settings")
    monkeypatch.setenv("TASKHUB_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    settings.COMMANDS = ["check"]
    with web_server() as served:
        settings.HTTP_ALLOW_PRIVATE, settings.HTTP_PORTS = True, [served.port]
        served.routes["/"] = (200, {"Content-Type": "text/plain"}, b"hello")
        yield {
            "COMMAND": [{"command": "check"}],
            "DJANGO_TASK": [signed(f"{__name__}.greeting", ["Ada"], {})],
            "EMAIL_SIMULATION": [
                {"num_emails": 2, "delay_per_email": 0},
                {"recipients": FAILING, "delay_per_email": 0},
            ],
            "HTTP_REQUEST": [{"url": f"http://127.0.0.1:{served.port}/"}],
            "IMAGE_PROCESSING": [{"num_images": 1, "sizes": ["64x64", "32x32"]}, {"images": broken_among_images()}],
            "NAP": [{"seconds": 0}],
            "NOOP": [{"x": 3}],
        }


def broken_among_images() -> list[tuple[str, bytes]]:
    return [*registry.get("IMAGE_PROCESSING").sample()["images"][:1], ("broken.png", b"\x89PNG\r\n\x1a\n")]


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_result_is_what_its_type_declares(jsonschema, name, sample):
    schema = closed(result_schema(registry.get(name)))
    for parameters in sample.get(name) or [registry.get(name).sample()]:
        run = run_handler(name, parameters)
        assert run.failed is None
        assert [error.message for error in jsonschema.validator_for(schema).iter_errors(run.result)] == []


def closed(schema: Any) -> Any:
    """The schema with every key required and no other allowed."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(value) for name, value in schema.items()}
    if "properties" in inner:
        inner |= {"additionalProperties": False, "required": list(inner["properties"])}
    return inner


def test_a_result_that_is_not_declared_so_is_found_out(jsonschema):
    schema = closed(result_schema(registry.get("COMMAND")))
    assert not jsonschema.is_valid(schema, {"exit_code": 0})
    assert not jsonschema.is_valid(schema, dict.fromkeys(schema["properties"], "x"))
