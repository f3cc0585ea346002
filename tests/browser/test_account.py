"""Signing in, tokens and the foreign pages (documentation, admin, browsable API) in a real browser."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tasks.accounts import tokens


@pytest.fixture
def login_mode(settings, staff):
    settings.ACCESS = "login"
    return staff


def sign_in(page, password="staff's password"):
    page.get_by_label("Name or email").fill("staff")
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_one_signs_in_where_one_wanted_to_go_and_out_again(hub, watch, login_mode):
    watch.expected = ("ViewTransition",)  # one page has a bar at its top, the next has none
    page = hub("/workers/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("4 tries are left")
    sign_in(page)
    expect(page.get_by_role("heading", name="Workers", level=1)).to_be_visible()
    page.get_by_role("button", name="Account of staff").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_too_many_wrong_passwords_lock_the_form_and_say_until_when(hub, watch, login_mode, settings):
    watch.expected = ("429",)
    page = hub("/workers/")
    for _try in range(settings.AXES_FAILURE_LIMIT):
        with page.expect_navigation():
            sign_in(page, "wrong")
    notice = page.get_by_role("alert")
    expect(notice).to_contain_text(re.compile(r"Too many tries\. Try again after \d\d:\d\d\."))
    expect(page.get_by_label("Name or email")).to_have_value("staff")
    assert [one["id"] for one in Axe().run(page).response["violations"]] == []
    with page.expect_navigation():
        sign_in(page)  # the right one helps no more
    expect(notice).to_contain_text("Too many tries.")
    assert "/sign-in/" in page.url


def test_a_password_can_be_seen_while_one_types_it(hub, login_mode):
    page = hub("/")
    password = page.get_by_label("Password", exact=True)
    show = page.get_by_role("button", name="Show")
    expect(password).to_have_attribute("type", "password")
    show.click()
    expect(password).to_have_attribute("type", "text")
    expect(show).to_have_attribute("aria-pressed", "true")


def test_a_token_is_made_copied_and_revoked(hub, login_mode):
    page = hub("/account/tokens/")
    sign_in(page)
    page.get_by_label("Name").fill("laptop")
    page.get_by_role("button", name="Make token").click()
    expect(page.get_by_text("it is not shown again")).to_be_visible()
    assert len(page.locator("#token").inner_text()) == 64
    page.get_by_role("button", name="Copy").first.click()
    expect(page.locator("#toasts")).to_contain_text("Copied")
    page.get_by_role("button", name="Revoke laptop").click()
    expect(page.get_by_text("No token yet.")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_account_pages_are_accessible_and_fit(browser, live_server, login_mode, theme, width):
    tokens.make(login_mode, "laptop", 30)
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    page = context.new_page()
    faults = []

    def look(name):
        faults.extend(f"{name}: {one['id']}" for one in Axe().run(page).response["violations"])
        if page.evaluate("document.documentElement.scrollWidth") > width:
            faults.append(f"{name} is too wide")

    page.goto(f"{live_server.url}/account/tokens/")
    look("sign in")
    sign_in(page)
    expect(page.get_by_role("heading", name="API tokens")).to_be_visible()
    for path in ("/account/tokens/", "/account/password/", "/audit/"):
        page.goto(f"{live_server.url}{path}")
        look(path)
    context.close()
    assert faults == []


def test_the_documentation_loads_without_the_network_and_can_be_tried(hub):
    page = hub("/docs")
    page.locator("#operations-hub-getHealth").get_by_role("button").first.click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table td.response-col_status", has_text="200")).to_be_visible()


@pytest.mark.parametrize("path", ["/admin/", "/admin/tasks/task/", "/admin/auth/user/", "/api/tasks/", "/api/health"])
def test_the_policy_lets_the_foreign_pages_work(hub, make_task, path):
    make_task()
    expect(hub(path).locator("body")).to_be_visible()
