"""Pages that stay live without disturbing whoever reads them."""

from __future__ import annotations

import re
from datetime import timedelta

from django.utils import timezone
from playwright.sync_api import expect

from tasks.models import Task, TaskAttempt, TaskLogLine


def change(task: Task, **values: object) -> None:
    """As the engine does it: with the version, in one UPDATE."""
    task.refresh_from_db()
    Task.objects.filter(pk=task.pk).update(version=task.version + 1, **values)


def row(page, task):
    return page.locator(f"#task-{task.pk}")


def test_a_row_goes_from_pending_to_success_without_a_reload(hub, make_task):
    task = make_task(name="photos")
    page = hub()
    page.evaluate("window.stays = true")
    expect(row(page, task)).to_contain_text("Pending")
    change(task, status="RUNNING", started_at=timezone.now(), progress=35, progress_message="sending")
    expect(row(page, task)).to_contain_text("35 % · sending")
    change(task, status="SUCCESS", completed_at=timezone.now(), progress=100, progress_message="all sent")
    expect(row(page, task)).to_contain_text("all sent")
    expect(page.locator("#counts")).to_contain_text("Success 1")
    change(task, status="FAILED")
    expect(page).to_have_title("(1 failed) Tasks - TaskHub")
    assert page.evaluate("window.stays")


def test_a_poll_keeps_ticks_focus_and_what_is_open(hub, make_task):
    tasks = [make_task(name=f"task {number}") for number in range(5)]
    page = hub()
    page.locator(f"#task-{tasks[1].pk} input[name=id]").check()
    page.locator(f"#task-{tasks[3].pk} a.name").focus()
    untouched = row(page, tasks[0]).element_handle()
    for task in tasks[1:]:
        change(task, status="RUNNING", started_at=timezone.now(), progress=50)
    expect(row(page, tasks[4])).to_contain_text("50 %")
    expect(page.locator(f"#task-{tasks[1].pk} input[name=id]")).to_be_checked()
    expect(page.locator(f"#task-{tasks[3].pk} a.name")).to_be_focused()
    assert untouched.evaluate("row => row.isConnected")


def test_a_poll_of_a_task_keeps_what_is_open_and_where_one_reads(hub, make_task):
    task = make_task(name="photos", status="RUNNING", started_at=timezone.now(), parameters={"text": "long " * 2000})
    TaskLogLine.objects.bulk_create(TaskLogLine(task=task, seq=n, message=f"line {n}") for n in range(1, 100))
    TaskAttempt.objects.create(
        task=task, outcome="failed", error="no", traceback="File x\n" * 99, started_at=timezone.now()
    )
    page = hub(f"/tasks/{task.pk}/")
    details = page.locator("#task details").first
    details.locator("summary").click()
    page.mouse.wheel(0, 300)
    page.wait_for_function("window.scrollY > 100")
    at = page.evaluate("window.scrollY")
    change(task, progress=62, progress_message="half of it")
    expect(page.locator("#task")).to_contain_text("half of it")
    expect(details).to_have_attribute("open", "")
    assert abs(page.evaluate("window.scrollY") - at) < 50


def test_new_rows_wait_while_one_is_ticked_and_come_when_asked_for(hub, make_task):
    task = make_task(name="old")
    page = hub()
    page.locator(f"#task-{task.pk} input[name=id]").check()
    new = [make_task(name=f"new {number}") for number in range(3)]
    expect(page.locator("#newcomers")).to_have_text("3 new tasks: show")
    expect(row(page, new[0])).to_have_count(0)
    page.locator("#newcomers").click()
    expect(row(page, new[0])).to_be_visible()
    expect(page.locator(f"#task-{task.pk} input[name=id]")).to_be_checked()
    expect(page.locator("#newcomers")).to_be_hidden()


def test_a_row_that_leaves_the_filter_is_dimmed_while_one_is_ticked(hub, make_task):
    leaving, staying = make_task(name="leaves"), make_task(name="stays")
    page = hub("/?status=PENDING")
    page.locator(f"#task-{staying.pk} input[name=id]").check()
    change(leaving, status="SUCCESS", completed_at=timezone.now())
    expect(row(page, leaving)).to_have_attribute("data-left", "")
    page.locator(f"#task-{staying.pk} input[name=id]").uncheck()
    page.mouse.move(5, 5)
    page.evaluate("document.activeElement.blur()")
    make_task(name="another")
    expect(row(page, leaving)).to_have_count(0)


def test_nothing_changed_is_204_and_changes_nothing(hub, watch, make_task):
    make_task(name="still", status="SUCCESS", completed_at=timezone.now())
    page = hub()
    with page.expect_response(re.compile("/_table/")) as first:
        pass
    with page.expect_response(re.compile("/_table/")) as second:
        pass
    assert {first.value.status, second.value.status} == {204}


def test_paused_means_no_request_and_is_remembered(hub, watch, make_task):
    make_task()
    page = hub()
    page.keyboard.press("p")
    expect(page.locator("#live")).to_have_text("Paused")
    before = watch.polls()
    page.wait_for_timeout(3000)
    assert watch.polls() == before
    hub("/")
    expect(page.locator("#live")).to_have_text("Paused")
    assert watch.polls() == before


def test_a_hidden_page_asks_nothing_and_a_shown_one_at_once(hub, watch, make_task):
    make_task()
    page = hub()
    hide = "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true }); document.dispatchEvent(new Event('visibilitychange')); }"
    page.evaluate(hide, True)
    before = watch.polls()
    page.wait_for_timeout(3000)
    assert watch.polls() == before
    with page.expect_response(re.compile("/_table/"), timeout=1000):
        page.evaluate(hide, False)


def test_a_server_that_is_away_is_said_and_its_return_noticed(hub, watch, make_task, page):
    watch.expected = ("net::ERR", "htmx:")
    make_task()
    hub()
    page.route("**/_table/**", lambda route: route.abort())
    expect(page.locator("#notice")).to_contain_text("Updates stopped")
    page.unroute("**/_table/**")
    page.get_by_role("button", name="Try now").click()
    expect(page.locator("#notice")).to_be_hidden()


def test_an_ended_session_is_said_instead_of_a_sign_in_page_in_the_table(hub, watch, make_task, page):
    watch.expected = ("401",)
    make_task()
    hub()
    page.route("**/_table/**", lambda route: route.fulfill(status=401))
    expect(page.locator("#notice")).to_contain_text("You are signed out.")


def test_the_task_page_follows_its_task_to_the_end(hub, make_task):
    task = make_task(name="report", status="RUNNING", started_at=timezone.now(), progress=10)
    TaskLogLine.objects.create(task=task, seq=1, message="began")
    page = hub(f"/tasks/{task.pk}/")
    expect(page.locator("#lines")).to_contain_text("began")
    TaskLogLine.objects.create(task=task, seq=2, message="half way")
    expect(page.locator("#L2")).to_contain_text("half way")
    change(task, status="SUCCESS", completed_at=timezone.now(), progress=100, result_data={"rows": 7})
    expect(page.locator("#result")).to_contain_text("7")
    expect(page.locator("#toasts")).to_have_text("report: Success")
    expect(page).to_have_title("Success: report - TaskHub")
    expect(page.locator("#lines > li")).to_have_count(2)


def test_the_log_follows_only_at_its_end(hub, make_task):
    task = make_task(status="RUNNING", started_at=timezone.now())
    TaskLogLine.objects.bulk_create(TaskLogLine(task=task, seq=n, message=f"line {n}") for n in range(1, 200))
    page = hub(f"/tasks/{task.pk}/")
    box, follow = page.locator("#log-lines"), page.locator("#log-follow")
    at_end = "box => box.scrollHeight - box.scrollTop - box.clientHeight < 24"
    assert box.evaluate(at_end)
    TaskLogLine.objects.create(task=task, seq=200, message="the newest")
    expect(page.locator("#L200")).to_be_visible()
    assert box.evaluate(at_end)
    box.evaluate("box => { box.scrollTop = 100; }")
    expect(follow).to_have_attribute("aria-pressed", "false")
    TaskLogLine.objects.create(task=task, seq=201, message="newer still")
    expect(page.locator("#L201")).to_be_attached()
    assert box.evaluate("box => box.scrollTop") == 100
    follow.click()
    assert box.evaluate(at_end)


def test_log_lines_can_be_filtered_and_linked_and_earlier_ones_loaded(hub, make_task):
    task = make_task(status="SUCCESS", completed_at=timezone.now())
    lines = [
        TaskLogLine(task=task, seq=n, level="error" if n % 100 == 0 else "info", message=f"line {n}")
        for n in range(1, 1201)
    ]
    TaskLogLine.objects.bulk_create(lines)
    page = hub(f"/tasks/{task.pk}/#L700")
    expect(page.locator("#L700:target")).to_be_visible()  # a browser may look for it after the page has loaded
    page.locator("#log-level").select_option("error")
    expect(page.locator("#lines > li:visible")).to_have_count(10)
    page.locator("#log-filter").fill("line 900")
    expect(page.locator("#lines > li:visible")).to_have_count(1)
    page.locator("#log-filter").fill("")
    page.locator("#log-level").select_option("")
    page.locator("#log-earlier").click()
    expect(page.locator("#L1")).to_be_attached()
    expect(page.locator("#log-earlier")).to_have_count(0)
    expect(page.locator("#lines > li")).to_have_count(1200)


def test_escapes_in_log_lines_become_our_colours_or_nothing_on_the_screen_and_in_a_copy(hub, make_task):
    task = make_task(status="SUCCESS", completed_at=timezone.now())
    lines = (
        "\x1b[1;31mred and <b>bold</b>\x1b[0m, then plain",
        "\x1b[2J\x1b]0;a title\x07\x1b]8;;https://evil.example/\x1b\\link\x1b]8;;\x1b\\ \x1b[1Aup\x1b[38;5;999mfar",
        "safe\u202etxt.exe \x9b31m\x1b",
    )
    TaskLogLine.objects.bulk_create(TaskLogLine(task=task, seq=n, message=line) for n, line in enumerate(lines, 1))
    page = hub(f"/tasks/{task.pk}/")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown = ["red and <b>bold</b>, then plain", "link upfar", "safe<U+202E>txt.exe <U+009B>31m<U+001B>"]
    for number, text in enumerate(shown, 1):
        expect(page.locator(f"#L{number} > span")).to_have_text(text)
    red = page.locator("#L1 .ansi-31")
    expect(red).to_have_class("ansi-1 ansi-31")
    colour = "line => getComputedStyle(line).color"
    assert red.evaluate(colour) != page.locator("#L1 > span").evaluate(colour)
    page.locator("#log-full").click()
    page.wait_for_function("document.fullscreenElement?.id === 'log'")
    expect(red).to_be_visible()
    page.locator("#log-copy").click()
    page.wait_for_function("navigator.clipboard.readText().then((text) => text.length > 0)")
    assert page.evaluate("navigator.clipboard.readText()").splitlines() == shown


def test_log_lines_have_the_time_of_day_the_time_since_the_start_or_none_as_one_likes(hub, make_task):
    start = timezone.now() - timedelta(minutes=5)
    task = make_task(status="RUNNING", started_at=start, claim=5)
    TaskLogLine.objects.create(task=task, seq=1, message="began", at=start + timedelta(seconds=2.5))
    page = hub(f"/tasks/{task.pk}/")
    time, times = page.locator("#L1 time"), page.locator("#log-times")
    of_the_day = time.inner_text()
    times.select_option("relative")
    expect(time).to_have_text("2.5 s")
    TaskLogLine.objects.create(task=task, seq=2, message="went on", at=start + timedelta(seconds=61))
    expect(page.locator("#L2 time")).to_have_text("61.0 s")
    times.focus()
    page.keyboard.press("ArrowDown")
    expect(time).to_be_hidden()
    page.reload()
    expect(times).to_have_value("off")
    expect(time).to_be_hidden()
    times.select_option("")
    expect(time).to_have_text(of_the_day)
