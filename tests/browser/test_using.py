"""What people do with the pages: start tasks, act on them, search, by mouse, keyboard and without a script."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import expect

from tasks.models import Cluster, Task, TaskFile, TaskLogLine
from tasks.web.task_list import offered


def row(page, task):
    return page.locator(f"#task-{task.pk}")


def csv(folder: Path, name: str = "people.csv", size: int = 0) -> str:
    path = folder / name
    path.write_text("email,name\n" + "ann@example.org,Ann\n" * (1 + size // 20))
    return str(path)


def test_a_task_is_started_by_a_form_and_its_page_opens(hub):
    page = hub("/")
    page.get_by_role("link", name="New task", exact=True).click()
    page.get_by_role("link", name="Email simulation").click()
    page.locator("#field-num_emails").fill("3")
    page.get_by_role("button", name="Start task").click()
    expect(page.locator(".banner", has_text="Started")).to_be_visible()
    assert Task.objects.get().parameters["num_emails"] == 3
    assert page.url.endswith(f"/tasks/{Task.objects.get().pk}/")


@pytest.mark.parametrize("kind", [kind.name for kind in offered()])
def test_every_kind_is_started_on_sample_data_by_keyboard(hub, kind):
    page = hub(f"/tasks/new/{kind}/")
    page.get_by_role("button", name="Use sample data").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/tasks/[0-9a-f-]{36}/"))
    expect(page.locator("h1")).to_contain_text("Sample")
    assert Task.objects.get().task_type == kind


def test_a_task_is_started_by_keyboard_alone(hub):
    page = hub()
    page.keyboard.press("n")
    page.wait_for_url("**/tasks/new/")
    page.get_by_role("link", name="Email simulation").focus()
    page.keyboard.press("Enter")
    page.locator("#field-num_emails").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("4")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/tasks/[0-9a-f-]{36}/"))
    assert Task.objects.get().parameters["num_emails"] == 4


def test_a_refused_form_keeps_the_chosen_file_and_leads_to_its_faults(hub, watch, tmp_path):
    watch.expected = ("422",)
    page = hub("/tasks/new/EMAIL_CAMPAIGN/")
    page.locator("#field-recipients").set_input_files(csv(tmp_path))
    expect(page.locator("#field-recipients-drop")).to_contain_text("people.csv")
    page.get_by_role("button", name="Start task").click()
    expect(page.locator("#faults")).to_be_focused()
    expect(page.locator("#field-recipients-drop")).to_contain_text("people.csv")
    page.locator("#faults").get_by_role("link", name=re.compile("Subject")).click()
    expect(page.locator("#field-subject")).to_be_focused()
    page.locator("#field-subject").fill("Hello")
    page.locator("#field-body").fill("Hello $name")
    page.get_by_role("button", name="Start task").click()
    expect(page.locator("h1")).to_be_visible()
    page.wait_for_url(re.compile(r"/tasks/[0-9a-f-]{36}/"))
    assert Task.objects.get().files.get().name == "people.csv"


def test_a_preview_is_shown_in_place_and_the_chosen_file_stays_for_the_start(hub, tmp_path):
    page = hub("/tasks/new/EMAIL_CAMPAIGN/")
    page.locator("#field-recipients").set_input_files(csv(tmp_path))
    page.locator("#field-subject").fill("For $name")
    page.locator("#field-body").fill("Hello")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview")).to_be_focused()
    expect(page.locator("#preview")).to_contain_text("For Ann")
    assert not Task.objects.exists()
    page.get_by_role("button", name="Start task").click()
    page.wait_for_url(re.compile(r"/tasks/[0-9a-f-]{36}/"))
    assert Task.objects.get().files.get().name == "people.csv"


def test_an_upload_shows_its_progress_and_can_be_cancelled(hub, watch, page, tmp_path):
    watch.expected = ("net::ERR", "htmx:")
    hub("/tasks/new/EMAIL_CAMPAIGN/")
    page.locator("#field-subject").fill("Hello")
    page.locator("#field-recipients").set_input_files(csv(tmp_path, size=2_000_000))
    page.context.new_cdp_session(page).send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 200_000},
    )
    page.get_by_role("button", name="Start task").click()
    expect(page.locator("#upload-note")).to_contain_text("MB")
    expect(page.get_by_role("button", name="Start task")).to_be_disabled()
    page.get_by_role("button", name="Cancel upload").click()
    expect(page.locator("#toasts")).to_contain_text("The upload was cancelled")
    expect(page.get_by_role("button", name="Start task")).to_be_enabled()
    assert not Task.objects.exists()


def test_a_file_that_is_too_large_or_of_the_wrong_sort_is_said_at_once(hub, tmp_path):
    page = hub("/tasks/new/EMAIL_CAMPAIGN/")
    page.locator("#field-recipients").set_input_files(csv(tmp_path, "people.exe"))
    expect(page.locator("#field-recipients-drop")).to_contain_text("is not of a type this takes")
    limit = "box => { box.dataset.limit = 100; box.dataset.limitWords = '100 bytes'; }"
    page.locator("#field-recipients-drop").evaluate(limit)
    page.locator("#field-recipients").set_input_files(csv(tmp_path, size=200))
    expect(page.locator("#field-recipients-drop")).to_contain_text("people.csv is larger than 100 bytes.")
    page.get_by_role("button", name="Remove people.csv").click()
    expect(page.locator("#field-recipients-drop")).not_to_contain_text("people.csv")


def test_rows_are_cancelled_and_retried_in_place(hub, make_task):
    pending = make_task("EMAIL_SIMULATION", name="waits")
    failed = make_task(
        "EMAIL_SIMULATION", name="broke", status="FAILED", completed_at=timezone.now(), error_message="no"
    )
    page = hub()
    page.evaluate("window.stays = true")
    row(page, pending).get_by_role("button", name="Cancel").click()
    expect(page.locator("#toasts")).to_have_text("Cancelled: waits")
    expect(row(page, pending)).to_contain_text("Cancelled")
    row(page, failed).get_by_role("button", name="Retry").dblclick()
    expect(page.locator("#toasts")).to_have_text("New task: broke")
    expect(page.locator("#rows > tr")).not_to_have_count(2)
    assert page.evaluate("window.stays")


def test_ticked_tasks_are_acted_on_together(hub, make_task):
    tasks = [make_task(name=f"task {number}") for number in range(4)]
    page = hub()
    page.locator(f"#task-{tasks[3].pk} input[name=id]").click()
    page.locator(f"#task-{tasks[1].pk} input[name=id]").click(modifiers=["Shift"])
    expect(page.locator("#selected")).to_have_text("3 selected")
    assert page.locator("#select-page").evaluate("box => box.indeterminate")
    page.get_by_role("button", name="Clear the selection").click()
    expect(page.locator("#bulk")).to_be_hidden()
    assert not page.locator("#select-page").evaluate("box => box.indeterminate")
    page.locator(f"#task-{tasks[3].pk} input[name=id]").click()
    page.locator(f"#task-{tasks[1].pk} input[name=id]").click(modifiers=["Shift"])
    page.locator("#bulk").get_by_role("button", name="Cancel").click()
    expect(page.locator(".banner", has_text="Cancelled 3 tasks.")).to_be_visible()
    assert Task.objects.get(status="PENDING") == tasks[0]


def test_all_that_match_is_offered_once_the_page_is_ticked(hub, make_task):
    for number in range(30):
        make_task(name=f"task {number}")
    page = hub()
    page.locator("#rows input[name=id]").first.check()
    expect(page.locator("#select-all")).to_be_hidden()
    page.locator("#select-page").check()
    page.locator("#select-all input").check()
    page.locator("#bulk").get_by_role("button", name="Cancel").click()
    expect(page.locator("h1")).to_have_text("Cancel 30 tasks?")
    page.get_by_role("button", name="Cancel 30 tasks?").click()
    expect(page.locator(".banner", has_text="Cancelled 30 tasks.")).to_be_visible()


def test_searching_changes_rows_and_address_and_back_brings_them_again(hub, make_task):
    make_task(name="apples")
    make_task(name="pears", status="FAILED", completed_at=timezone.now(), error_message="bad")
    page = hub()
    page.locator("#search").press_sequentially("appl")
    expect(page.locator("#rows > tr")).to_have_count(1)
    assert page.url.endswith("?q=appl")
    expect(page.locator("#chips")).to_contain_text("appl")
    page.reload()
    expect(page.locator("#rows > tr")).to_have_count(1)
    page.locator("#rows a.name").click()
    page.get_by_role("navigation", name="Breadcrumb").get_by_role("link", name="Tasks").click()
    assert page.url.endswith("?q=appl")
    page.locator("#chips").get_by_role("link", name="Clear").click()
    expect(page.locator("#rows > tr")).to_have_count(2)
    page.locator("#filter-fields select[name=order]").select_option("oldest")
    expect(page.locator("#rows a.name").first).to_have_text("apples")
    page.go_back()
    expect(page.locator("#rows a.name").first).to_have_text("pears")
    page.go_forward()
    expect(page.locator("#rows a.name").first).to_have_text("apples")


def test_a_typed_view_is_remembered_opens_first_and_is_forgotten(hub, make_task):
    make_task(name="apples")
    make_task(name="pears")
    page = hub()
    expect(page.locator("#default-view")).to_be_hidden()
    page.locator("#search").press_sequentially("appl")
    expect(page.locator("#rows > tr")).to_have_count(1)
    page.get_by_role("button", name="Remember this view as my default").click()
    expect(page.locator("#default-view")).to_contain_text("This is your default view.")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Tasks").click()
    expect(page.locator("#default-view")).to_contain_text("This is your default view.")
    assert page.url.endswith("?q=appl")
    page.locator("#search").fill("")
    expect(page.locator("#rows > tr")).to_have_count(2)
    assert page.url.endswith("?view=all")
    page.get_by_role("link", name="Open my default view").click()
    page.go_back()
    expect(page.locator("#rows > tr")).to_have_count(2)
    page.get_by_role("button", name="Forget my default view").click()
    expect(page.locator("#default-view")).to_be_hidden()
    hub()
    expect(page.locator("#rows > tr")).to_have_count(2)


def test_everything_works_by_keyboard(hub, make_task):
    first = make_task("EMAIL_SIMULATION", name="first")
    second = make_task("EMAIL_SIMULATION", name="second")
    page = hub()
    page.keyboard.press("j")
    expect(page.locator(f"#task-{second.pk} a.name")).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator(f"#task-{first.pk} a.name")).to_be_focused()
    page.keyboard.press("x")
    expect(page.locator(f"#task-{first.pk} input[name=id]")).to_be_checked()
    page.keyboard.press("Escape")
    expect(page.locator(f"#task-{first.pk} input[name=id]")).not_to_be_checked()
    page.locator(f"#task-{first.pk} a.name").focus()
    page.keyboard.press("c")
    expect(row(page, first)).to_contain_text("Cancelled")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("w")
    page.wait_for_url("**/workers/")


def test_shortcuts_can_be_switched_off(hub, make_task):
    make_task()
    page = hub()
    page.keyboard.press("?")
    page.get_by_role("button", name="Switch shortcuts off").click()
    page.wait_for_load_state()
    page.keyboard.press("/")
    expect(page.locator("#search")).not_to_be_focused()


def test_without_a_script_a_task_is_started_cancelled_and_deleted(browser, live_server, make_task):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live_server.url}/tasks/new/EMAIL_SIMULATION/")
    page.get_by_role("button", name="Start task").click()
    expect(page.locator("h1")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".banner", has_text="Cancelled")).to_be_visible()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".banner", has_text="Deleted")).to_be_visible()
    assert not Task.objects.exists()
    page.goto(f"{live_server.url}/?status=FAILED")
    page.get_by_role("button", name="Remember this view as my default").click()
    page.goto(live_server.url)
    assert page.url.endswith("/?status=FAILED")
    context.close()


def test_a_theme_is_chosen_and_kept(hub, make_task):
    page = hub()
    page.locator("[popovertarget=account]").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_hostile_names_stay_text(hub, make_task):
    make_task(
        name="<img src=x onerror=alert(1)>",
        status="FAILED",
        error_message="<script>alert(2)</script>",
        completed_at=timezone.now(),
    )
    page = hub()
    expect(page.locator("#rows a.name")).to_have_text("<img src=x onerror=alert(1)>")


def test_hostile_parameters_results_files_and_log_lines_stay_text(hub, make_task):
    evil = "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"
    task = make_task(status="SUCCESS", completed_at=timezone.now(), parameters={evil: evil}, result_data={evil: evil})
    TaskLogLine.objects.create(task=task, seq=1, message=evil)
    TaskFile.objects.create(task=task, name=evil, kind="output", size=1, content="nowhere")
    page = hub(f"/tasks/{task.pk}/")
    for part in ("#lines", "#result", "#files", "#parameters"):
        expect(page.locator(part)).to_contain_text("<script>")
    page.locator("#log-filter").fill("<script>")
    expect(page.locator("#L1")).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    assert "taken" not in page.title()


def test_a_running_task_that_is_cancelled_is_said_to_be_stopping(hub, make_task):
    task = make_task("EMAIL_SIMULATION", name="runs", status="RUNNING", started_at=timezone.now(), claim=7)
    page = hub()
    row(page, task).get_by_role("button", name="Cancel").click()
    expect(row(page, task)).to_contain_text("Cancelling: its worker is letting go")


def test_the_way_back_leads_to_the_list_as_it_was_left_also_after_an_act(hub, make_task):
    task = make_task(name="waits", queue="slow")
    page = hub("/?queue=slow")
    page.get_by_role("link", name="waits").click()
    expect(page.locator("#way-back")).to_have_attribute("href", "/?queue=slow")
    page.locator("#task-actions").get_by_role("button", name="Cancel").click()
    expect(page.locator("#task-header")).to_contain_text("Cancelled")
    page.reload()
    page.locator("#way-back").click()
    expect(page).to_have_url(re.compile(r"/\?queue=slow$"))
    expect(row(page, task)).to_be_visible()


def test_no_worker_is_said_once_on_each_page(hub, make_task):
    Cluster.objects.all().delete()
    task = make_task()
    for path in ("/", "/workers/", f"/tasks/{task.pk}/"):
        page = hub(path)
        expect(page.locator("#main").get_by_text("No worker is running.").locator("visible=true")).to_have_count(1)
    task.delete()
    cache.clear()
    expect(hub("/workers/").get_by_text("No worker is running.")).to_be_visible()


def test_no_worker_is_said_at_once(hub, make_task):
    make_task()
    page = hub()
    expect(page.locator("#hub-state")).to_be_empty()
    Cluster.objects.all().delete()
    expect(page.locator("#hub-state")).to_contain_text("No worker is running.", timeout=10_000)
