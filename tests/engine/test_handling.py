"""What a handler is given and ends with: TaskHub promises words for every end, and parameters that fit the handler."""

from __future__ import annotations

import pytest
from rest_framework.exceptions import ErrorDetail, ValidationError

from tasks import lifecycle, registry
from tasks.context import Fail, TaskInterrupted
from tasks.engine.handling import loaded, parameters_for, sentence_for, summary_of, trace_of, words_of


class Speechless(Exception):
    """An error whose own words raise."""

    def __str__(self):
        raise RuntimeError("no words")


def raised(error):
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001 - whatever it is given
        return caught


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (Fail("The file holds no rows."), "The file holds no rows."),
        (KeyError("amount"), "KeyError: 'amount'"),
        (ValueError(), "ValueError"),
        (Speechless(), "Speechless"),
        (MemoryError(), "It ran out of memory."),
        (SystemExit(3), "SystemExit: 3"),
        (ValidationError({"a": [ErrorDetail("Too long.")], "b": {0: ["Unknown."]}}), "Too long. Unknown."),
        (registry.UnknownTaskType("GONE"), "No task type GONE is known here"),
    ],
)
def test_every_end_has_its_sentence(error, sentence):
    assert sentence in sentence_for(error, "GONE")


@pytest.mark.parametrize("error", [Fail("So."), TaskInterrupted(), registry.UnknownTaskType("GONE")])
def test_what_people_did_has_no_traceback(error):
    assert trace_of(raised(error)) == ""


def test_what_a_program_did_has_its_traceback_even_without_words():
    assert "test_handling.py" in trace_of(raised(KeyError("amount")))
    assert words_of(Speechless()) == ""


@pytest.mark.parametrize(("stored", "value"), [('{"x": 1}', {"x": 1}), ({"x": 1}, {"x": 1}), (None, None)])
def test_json_is_read_whichever_way_the_database_gives_it(stored, value):
    assert loaded(stored) == value


@pytest.mark.django_db
def test_parameters_are_checked_again_only_when_the_declaration_has_changed(claim, monkeypatch):
    lifecycle.submit("NOOP", {"x": 4})
    [claimed] = claim()
    kind, asked = registry.get("NOOP"), []
    monkeypatch.setattr(type(kind), "validate", lambda self, values: asked.append(values) or values)
    assert parameters_for(kind, claimed) == {"x": 4}
    assert not asked
    claimed.parameters_digest = "of an older release"
    parameters_for(kind, claimed)
    assert asked == [{"x": 4}]


@pytest.mark.django_db
def test_a_file_that_is_gone_fails_the_task_in_words(claim):
    task = lifecycle.submit("DATA_PROCESSING", {"num_rows": 5})
    [claimed] = claim()
    claimed.parameters = {"num_rows": 5, "file": str(task.pk)}
    with pytest.raises(Fail, match="is no longer there"):
        parameters_for(registry.get("DATA_PROCESSING"), claimed)


def test_a_summary_that_fails_fails_nothing_else(caplog):

    assert summary_of("DATA_PROCESSING", {"rows": None}) == ""
    assert "The summary of a DATA_PROCESSING failed" in caplog.text
    assert summary_of("NOOP", 4) == ""
