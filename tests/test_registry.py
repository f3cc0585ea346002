"""TaskHub promises that a task type is all in its declaration."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.template.loader import get_template
from django.utils import translation
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from tasks import registry
from tasks.registry import TaskType, UnknownTaskType, task_type

SHOWN = [kind.name for kind in registry.all_types() if not kind.hidden]


class Parameters(serializers.Serializer):
    count = serializers.IntegerField(default=3, max_value=9)
    day = serializers.DateField(required=False)


@pytest.fixture
def kind() -> TaskType:
    return TaskType("COUNT", lambda context, **_: None, "Count", Parameters)


@pytest.fixture
def own_types(monkeypatch) -> None:
    monkeypatch.setattr(registry, "_types", dict(registry._types))


def test_a_decorated_function_is_a_task_type_described_by_its_docstring(own_types):
    @task_type("COUNT", label="Count", parameters=Parameters, timeout=5)
    def count(context, *, count):
        """Count to a number."""

    kind = registry.get("COUNT")
    assert (kind.handler, kind.description, kind.timeout_for({})) == (count, "Count to a number.", 5)


def test_one_name_is_one_handlers(own_types):
    def other(context): ...

    with pytest.raises(ImproperlyConfigured, match=r"The task type NOOP of .* is taken by tasks\.handlers\.noop"):
        task_type("NOOP", label="Mine")(other)


@pytest.mark.parametrize("name", ["NONE_SUCH", None, ["NOOP"]])
def test_a_type_that_there_is_not_is_a_lookup_error(name):
    with pytest.raises(UnknownTaskType):
        registry.get(name)


def test_defaults_are_filled_in_and_an_unknown_parameter_is_refused_by_name(kind):
    assert kind.validate({}) == {"count": 3}
    with pytest.raises(ValidationError) as caught:
        kind.validate({"cuont": 1})
    assert caught.value.detail == {"cuont": ["Unknown parameter. COUNT takes: count, day."]}


def test_what_is_stored_is_json(kind):
    assert not kind.is_plain
    assert kind.to_json(kind.validate({"day": "2026-11-24"})) == {"count": 3, "day": "2026-11-24"}


def test_a_timeout_may_depend_on_the_parameters():
    kind = TaskType("COUNT", lambda context: None, "Count", Parameters, timeout=lambda given: given["count"] * 2.0)
    assert kind.timeout_for({"count": 4}) == 8


def test_the_digest_changes_with_the_declaration(kind):
    class Parameters(serializers.Serializer):
        count = serializers.IntegerField(default=4, max_value=9)

    assert TaskType("COUNT", lambda context: None, "Count", Parameters).digest != kind.digest


def test_the_digest_is_the_same_in_every_language():
    kind = registry.get("HTTP_REQUEST")
    digests = set()
    for language in ("en", "de"):
        with translation.override(language):
            digests.add(replace(kind).digest)
    assert len(digests) == 1


@pytest.mark.parametrize("name", SHOWN)
def test_every_type_on_the_form_says_what_it_does_and_what_each_parameter_means(name):
    kind = registry.get(name)
    assert str(kind.description)
    assert [field for field, declared in kind.serializer.fields.items() if not declared.help_text] == []
    get_template(kind.result_template)


@pytest.mark.parametrize("name", SHOWN)
def test_every_type_on_the_form_has_a_sample_of_its_own_parameters(name):
    kind = registry.get(name)
    assert kind.sample().keys() <= kind.serializer.fields.keys()
