"""TaskHub promises handlers that what they report is kept, and that a resumed task repeats nothing."""

from __future__ import annotations

import uuid

import pytest

from tasks.context import TaskContext, TaskInterrupted, distinct_keys
from tasks.testing import MemoryRecorder

FRUIT = ["apple", "pear", "plum"]


def context_with(recorder: MemoryRecorder | None = None, **options: object) -> TaskContext:
    return TaskContext(uuid.uuid4(), recorder or MemoryRecorder(), **options)


def states(recorder: MemoryRecorder) -> list[str]:
    return [record.state for record in recorder.records.values()]


def test_an_item_of_which_the_handler_says_nothing_is_done():
    context = context_with()
    assert [item.key for item in context.items(FRUIT)] == FRUIT
    assert states(context.recorder) == ["done"] * 3


def test_an_item_is_under_way_until_the_handler_says_what_became_of_it():
    context = context_with()
    apple, pear, plum = context.items(FRUIT, begin=False)
    assert (apple.state, apple.position, plum.position) == ("pending", 0, 2)
    apple.begin()
    assert apple.state == "working"
    apple.done({"weight": 3})
    pear.fail("rotten")
    plum.postpone("not ripe")
    told = [(record.state, record.detail, record.error) for record in context.records]
    assert told == [("done", {"weight": 3}, ""), ("failed", None, "rotten"), ("pending", None, "not ripe")]


def test_in_a_with_block_an_error_fails_the_item_and_goes_no_further():
    context = context_with()
    for item in context.items(FRUIT):
        with item:
            if item.value == "pear":
                raise ValueError("a worm")
    assert states(context.recorder) == ["done", "failed", "done"]
    assert context.recorder.records["pear"].error == "a worm"


def test_a_with_block_does_not_swallow_an_interrupt():
    context = context_with()
    first = next(context.items(FRUIT))
    with pytest.raises(TaskInterrupted), first:
        raise TaskInterrupted
    assert states(context.recorder) == ["working", "pending", "pending"]


def test_a_resumed_task_skips_what_is_settled_and_what_was_in_flight_is_unknown():
    recorder = MemoryRecorder()
    for item in context_with(recorder).items(FRUIT):
        if item.value == "pear":
            break  # as if the worker died here
    resumed = context_with(recorder)
    assert [item.key for item in resumed.items([*FRUIT, "fig"])] == ["plum", "fig"]
    assert states(recorder) == ["done", "unknown", "done", "done"]
    assert recorder.records["pear"].error == "The worker stopped while this was under way."
    assert [record.key for record in resumed.records] == [*FRUIT, "fig"]


def test_a_postponed_item_is_taken_up_again_by_the_next_try():
    recorder = MemoryRecorder()
    for item in context_with(recorder).items(FRUIT):
        item.postpone("later")
    assert [item.key for item in context_with(recorder).items(FRUIT)] == FRUIT


def test_a_retry_of_some_items_is_of_no_others():
    recorder = MemoryRecorder()
    list(context_with(recorder).items(["pear"], begin=False))
    retry = context_with(recorder, retry_items=frozenset({"failed"}))
    assert [item.key for item in retry.items(FRUIT)] == ["pear"]


def test_two_values_of_one_key_are_one_item():
    assert [item.value for item in context_with().items(["Pear", "pear"], key=str.lower)] == ["Pear"]


def test_long_keys_that_begin_alike_are_items_of_their_own_and_known_again():
    recorder, urls = MemoryRecorder(), [f"https://example.org/{'a' * 200}?page={page}" for page in range(5)]
    assert [item.value for item in context_with(recorder).items(urls)] == urls
    assert max(map(len, recorder.records)) == 200
    assert list(context_with(recorder).items(urls)) == []


def test_no_two_items_have_the_same_position():
    recorder = MemoryRecorder()
    list(context_with(recorder).items(FRUIT))
    resumed = context_with(recorder)
    list(resumed.items(["fig", *FRUIT]))
    list(resumed.items(["leek"]))
    positions = {key: record.position for key, record in recorder.records.items()}
    assert positions == {"apple": 0, "pear": 1, "plum": 2, "fig": 3, "leek": 4}


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (["a", "b", "a", "a"], ["a", "b", "a (2)", "a (3)"]),
        (["a", "a", "a (2)"], ["a", "a (2)", "a (2) (2)"]),
        (["x" * 300, "x" * 300], ["x" * 180, f"{'x' * 180} (2)"]),
    ],
)
def test_keys_made_of_names_are_distinct(names, keys):
    assert distinct_keys(names) == keys


def test_progress_stays_between_0_and_100():
    context = context_with()
    for percent in (-5, 50, 250):
        context.progress(percent)
    assert [percent for percent, _ in context.recorder.progresses] == [0, 50, 100]


def test_track_reports_how_far_it_is():
    context = context_with()
    assert list(context.track("abcd")) == list("abcd")
    assert [percent for percent, _ in context.recorder.progresses] == [0, 25, 50, 75, 100]


def test_a_step_is_not_interrupted_but_what_comes_after_it_is():
    context = context_with(MemoryRecorder(interrupt_after=0))
    with pytest.raises(TaskInterrupted):
        context.log("stopped")
    with pytest.raises(TaskInterrupted), context.uninterrupted():
        context.log("a step that must not be cut in half")
    assert context.recorder.lines == [("info", "a step that must not be cut in half")]
    assert context.cancelled


def test_a_step_within_a_step_ends_with_the_outer_one():
    context = context_with(MemoryRecorder(interrupt_after=0))

    def work():
        with context.uninterrupted():
            with context.uninterrupted():
                context.log("the inner one")
            context.log("the outer one")

    with pytest.raises(TaskInterrupted):
        work()
    assert [line for _, line in context.recorder.lines] == ["the inner one", "the outer one"]


def test_an_interrupt_calls_what_the_handler_named_for_it_only_within_its_block():
    context = context_with()
    with context.on_interrupt(list):
        assert context.recorder.stop is list
    assert context.recorder.stop is None


def test_a_temporary_folder_lies_in_the_data_folder_and_goes_with_the_block(settings):
    with context_with().temporary_folder() as folder:
        (folder / "draft").write_text("x")
        assert folder.parent == settings.TEMPORARY_DIR
    assert not folder.exists()


def test_a_level_that_there_is_not_is_info():
    context = context_with()
    context.log("one\ntwo", level="shout")
    assert context.recorder.lines == [("info", "one"), ("info", "two")]
