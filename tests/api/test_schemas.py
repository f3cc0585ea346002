"""The JSON Schemas of a task type say what it takes and what it gives back."""

from __future__ import annotations

import pytest
from rest_framework import serializers

from tasks import registry
from tasks.api.schemas import parameters_schema, result_schema
from tasks.parameters import FileParameter, FilesParameter
from tasks.registry import TaskType


class Parameters(serializers.Serializer):
    file = FileParameter(extensions=[".csv"])
    images = FilesParameter(required=False)
    size = serializers.IntegerField(default=1, max_value=9, help_text="How large.")
    mode = serializers.ChoiceField(["fit", "fill"], allow_null=True, required=False)


SCHEMA = parameters_schema(TaskType("X", lambda context: None, "X", Parameters))


def test_a_schema_has_each_parameter_with_its_limits_and_help():
    size = SCHEMA["properties"]["size"]
    assert (size["type"], size["default"], size["maximum"], size["description"]) == ("integer", 1, 9, "How large.")
    assert SCHEMA["required"] == ["file"]


def test_a_file_says_which_it_may_be():
    assert SCHEMA["properties"]["file"] == {
        "type": "string",
        "format": "uuid",
        "x-file": True,
        "x-extensions": [".csv"],
    }
    assert SCHEMA["properties"]["images"]["items"]["x-file"] is True


@pytest.mark.parametrize(
    ("parameters", "valid"),
    [
        ({"file": "01890000-0000-7000-8000-000000000000"}, True),
        ({"file": "01890000-0000-7000-8000-000000000000", "mode": None, "size": 3}, True),
        ({}, False),
        ({"file": "x", "size": 10}, False),
        ({"file": "x", "unheard_of": 1}, False),
        ({"file": "x", "mode": "stretch"}, False),
    ],
)
def test_the_schema_takes_what_the_serializer_takes(jsonschema, parameters, valid):
    assert jsonschema.is_valid(SCHEMA, parameters) == valid


@pytest.mark.parametrize("kind", list(registry.all_types()), ids=lambda kind: kind.name)
def test_every_task_types_schema_is_a_schema(jsonschema, kind):
    jsonschema.meta.validate(parameters_schema(kind) | {"$schema": "https://json-schema.org/draft/2020-12/schema"})


class Part(serializers.Serializer):
    name = serializers.CharField()


class Result(serializers.Serializer):
    """What came of it."""

    parts = Part(many=True)
    first = Part(allow_null=True)


def giving(result):
    return TaskType("X", lambda context: None, "X", result=result)


def test_a_result_is_described_whole_with_what_is_nested_in_it(jsonschema):
    schema = result_schema(giving(Result))
    assert (schema["description"], schema["required"]) == ("What came of it.", ["first", "parts"])
    assert schema["properties"]["parts"]["items"]["properties"]["name"] == {"type": "string"}
    assert jsonschema.is_valid(schema, {"parts": [{"name": "a"}], "first": None})
    assert not jsonschema.is_valid(schema, {"parts": [{"name": 1}], "first": None})


def test_a_result_may_be_a_plain_value_or_not_declared():
    assert result_schema(giving(serializers.IntegerField())) == {"type": "integer"}
    assert result_schema(giving(None)) is None
