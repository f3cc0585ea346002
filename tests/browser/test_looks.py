"""How the pages look and read: accessible, within the screen, in both themes, in print, in German."""

from __future__ import annotations

from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import expect

from tasks.management import demo
from tasks.models import Task, TaskAttempt, TaskItem, TaskLogLine
from tasks.stats import roll_up


@pytest.fixture
def addresses(make_task) -> dict[str, str]:
    """A page of every sort, by name."""
    now = timezone.now()
    done = make_task(
        name="A name that is long enough to need a second line in a narrow column", status="SUCCESS", progress=100,
        started_at=now - timedelta(seconds=9), completed_at=now, result_data={"rows": 3}, progress_message="3 rows",
    )  # fmt: skip
    failed = make_task(
        status="FAILED", name="broke", started_at=now, completed_at=now, error_message="Line 7\nis short"
    )
    TaskAttempt.objects.create(task=failed, outcome="failed", error="Line 7", traceback="File x", started_at=now)
    for number, state in enumerate(("done", "failed", "unknown", "pending", "working")):
        TaskItem.objects.create(task=done, position=number, key=f"person{number}@example.org", state=state)
    levels = ("debug", "info", "warning", "error")
    TaskLogLine.objects.bulk_create(
        TaskLogLine(task=done, seq=n, level=levels[n % 4], message=f"\x1b[3{n % 8}mline {n} " + "x" * 100)
        for n in range(1, 9)
    )
    make_task(name="runs", status="RUNNING", started_at=now, progress=35, progress_message="sending")
    waiting = make_task(name="waits", queue="other-queue")
    demo.insert(demo.rows(60, 42, now, None))
    made = Task.objects.filter(status="SUCCESS", task_type__in=[kind.task_type for kind in demo.KINDS])
    results = {task.task_type: f"/tasks/{task.pk}/" for task in made}
    assert len(results) == len(demo.KINDS)
    roll_up()
    return results | {
        "list": "/", "view": "/?status=FAILED", "empty": "/?q=nothing", "task": f"/tasks/{done.pk}/", "failed": f"/tasks/{failed.pk}/",
        "waiting": f"/tasks/{waiting.pk}/", "new": "/tasks/new/EMAIL_CAMPAIGN/", "kinds": "/tasks/new/",
        "stats": "/stats/", "workers": "/workers/", "confirm": f"/tasks/{done.pk}/delete/", "error": "/nowhere/",
    }  # fmt: skip


def open_at(browser, live_server, path: str, width: int, **options):
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    page = context.new_page()
    page.goto(f"{live_server.url}{path}")
    return page


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_every_page_is_accessible(browser, live_server, addresses, theme, width):
    faults = []
    for name, path in addresses.items():
        page = open_at(browser, live_server, path, width, color_scheme=theme)
        for violation in Axe().run(page).response["violations"]:
            nodes = [node["html"][:120] for node in violation["nodes"][:3]]
            faults.append(f"{name}: {violation['id']}: {nodes}")
        page.context.close()
    assert faults == []


@pytest.mark.parametrize(("width", "locale"), [(320, "en"), (320, "de"), (640, "en")])  # 640: a wide screen at 200 %
def test_no_page_is_wider_than_the_screen(browser, live_server, addresses, width, locale):
    for name, path in addresses.items():
        page = open_at(browser, live_server, path, width, locale=locale)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        page.context.close()


def test_reduced_motion_and_forced_colours_are_honoured(browser, live_server, addresses):
    page = open_at(browser, live_server, "/", 1280, reduced_motion="reduce", forced_colors="active")
    icon = page.locator('.status[data-status="RUNNING"] .icon').first
    assert icon.evaluate("icon => getComputedStyle(icon).animationName") == "none"
    page.context.close()


def test_every_chart_has_its_table(browser, live_server, addresses):
    page = open_at(browser, live_server, "/stats/", 1280)
    for chart in page.locator("figure.chart").all():
        chart.locator("summary").click()
        expect(chart.locator("table")).to_be_visible()
        assert chart.locator("svg[role=img] desc").text_content()
    page.context.close()


def test_a_printed_task_is_its_content_alone(browser, live_server, addresses):
    page = open_at(browser, live_server, addresses["task"], 1280)
    page.emulate_media(media="print")
    for gone in (".topbar", ".footer", "#task-actions", "#log-tools .button"):
        expect(page.locator(gone).first).to_be_hidden()
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator("#result")).to_be_visible()
    page.context.close()


def test_the_pages_speak_german(browser, live_server, addresses):
    page = open_at(browser, live_server, "/", 1280, locale="de-DE")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.locator("h1")).to_have_text("Aufgaben")
    expect(page.locator("#rows")).to_contain_text("Fehlgeschlagen")
    page.context.close()


def test_a_transition_that_the_browser_skips_is_no_fault_but_any_other_rejection_is(hub, watch):
    page = hub()
    page.evaluate("() => { Promise.reject(new DOMException('Transition was skipped', 'AbortError')) }")
    watch.expected = ("something else",)
    with page.expect_event("pageerror"):
        page.evaluate("() => { Promise.reject(new Error('something else')) }")
    assert [fault for fault in watch.faults if "uncaught" in fault] == ["uncaught: something else"]
