"""The view of the task list that a person has chosen to begin with."""

from __future__ import annotations

import re

import pytest

from tasks.web.default_view import COOKIE, LONGEST
from tests.web.pages import element, elements

pytestmark = pytest.mark.django_db


@pytest.fixture
def _tasks(make_task):
    make_task(name="waits")
    make_task(name="broke", status="FAILED")


def names(page: str) -> list[str]:
    return sorted(elements(page, "name"))


def default_view_of(page: str) -> str:
    return " ".join(map(str, element(page, "default-view")))


@pytest.mark.usefixtures("_tasks")
def test_the_list_opens_with_the_remembered_view_at_an_address_of_its_own(client):
    answer = client.post(
        "/preferences/", {"view": "status=FAILED&order=oldest&before=x&v=y&odd=z", "next": "/workers/"}
    )
    assert answer.url == "/workers/"
    assert client.get("/").url == "/?status=FAILED&order=oldest"
    page = client.get("/", follow=True).content.decode()
    assert names(page) == ["broke"]
    assert 'hx-get="/tasks/_table/?status=FAILED&amp;order=oldest"' in page
    assert "This is your default view." in default_view_of(page)


@pytest.mark.usefixtures("_tasks")
def test_what_a_button_of_the_page_remembers_is_what_the_page_shows(client):
    page = client.get("/?size=50&status=FAILED").content.decode()
    [view] = re.findall(r'name="view" value="([^"]+)">Remember', page)
    client.post("/preferences/", {"view": view.replace("&amp;", "&")})
    assert client.get("/").url == "/?status=FAILED&size=50"


@pytest.mark.usefixtures("_tasks")
def test_every_way_to_the_whole_list_still_leads_there(client):
    client.cookies[COOKIE] = "status=FAILED&q=broke"
    page = client.get("/", follow=True).content.decode()
    clear = re.search(r'href="([^"]+)">Clear<', page)[1]
    assert clear == "/?view=all"
    assert 'name="view" value="all"' in page  # in the filter's form, whose fields may all be empty
    everything = client.get(clear).content.decode()
    assert names(everything) == ["broke", "waits"]
    assert "Open my default view" in default_view_of(everything)
    assert 'href="/?view=all" aria-current="page">All' in everything
    empty = client.get("/?status=FAILED&q=nothing").content.decode()
    assert re.search(r'href="([^"]+)">Show all tasks<', empty)[1] == "/?view=all"
    tab = re.search(r'href="([^"]+)">All ', client.get("/?status=FAILED").content.decode())[1]
    assert tab == "/?view=all"


@pytest.mark.usefixtures("_tasks")
def test_a_default_view_is_forgotten_again(client):
    client.post("/preferences/", {"view": "status=FAILED"})
    client.post("/preferences/", {"view": ""})
    answer = client.get("/")
    assert answer.status_code == 200
    assert ("hidden", "") in element(answer.content.decode(), "default-view")[0][1]


@pytest.mark.parametrize(
    "kept",
    ["odd=1", "view=all", "=&&=;", "before=x", "status=", "&" * LONGEST, "q=" + "x" * LONGEST, "\x00\r\nLocation: x", "%"],
)  # fmt: skip
@pytest.mark.usefixtures("_tasks")
def test_nothing_but_a_view_is_taken_from_a_cookie(client, kept):
    client.cookies[COOKIE] = kept
    assert client.get("/").status_code == 200
    client.post("/preferences/", {"view": kept})
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("kept", ["status=ODD", "q=%00", "q=%ff%0d%0a&order=1&size=-1", "since=never", "owner=%3Cb%3E"])
@pytest.mark.usefixtures("_tasks")
def test_a_view_that_cannot_be_understood_is_a_hint_and_no_error(client, kept):
    client.cookies[COOKIE] = kept
    answer = client.get("/", follow=True)
    assert answer.status_code == 200
    assert "<h1>Tasks</h1>" in answer.content.decode()
