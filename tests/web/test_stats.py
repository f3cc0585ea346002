"""The statistics page and its charts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tasks.stats import roll_up
from tasks.web import charts
from tests.web.pages import element, inline_code, visible_text

pytestmark = pytest.mark.django_db


def ended(make_task, ago: int = 60, **fields):
    at = timezone.now() - timedelta(seconds=ago)
    return make_task(**({"status": "SUCCESS", "started_at": at - timedelta(seconds=3), "completed_at": at} | fields))


@pytest.mark.parametrize("name", ["1h", "24h", "7d", "30d", "nonsense"])
def test_every_range_has_its_page_with_tasks_and_without(client, make_task, name):
    assert "No task finished in this range." in visible_text(client.get(f"/stats/?range={name}").content.decode())
    ended(make_task, name="a <b>slow</b> one")
    ended(make_task, status="FAILED", error_message="<script>Line 7</script>")
    roll_up()
    client.get("/preferences/")
    page = client.get(f"/stats/?range={name}&kind=NOOP").content.decode()
    assert inline_code(page) == []
    assert "<b>slow</b>" not in page
    assert "1 of 2 tasks succeeded" in page


def test_the_fragment_is_the_same_as_in_the_page(client, make_task):
    ended(make_task)
    roll_up()
    page, fragment = (client.get(path).content.decode() for path in ("/stats/", "/stats/_live/"))
    assert element(page, "chart-finished") == element(fragment, "chart-finished")


def test_a_charts_numbers_can_be_had_as_csv(client, make_task):
    ended(make_task)
    roll_up()
    lines = client.get("/stats/?csv=finished").getvalue().decode().splitlines()
    assert lines[0] == '"Time","Success","Failed","Cancelled"'
    assert len(lines) == 25


def test_an_error_leads_to_the_tasks_that_failed_so(client, make_task):
    ended(make_task, status="FAILED", name="prices.csv", error_message="Line 7: 11 fields where the header has 9")
    roll_up()
    page = client.get("/stats/").content.decode()
    link = page.split('id="errors-title"')[1].split('href="')[1].split('"')[0].replace("&amp;", "&")
    assert "prices.csv" in client.get(link).content.decode()


def test_a_stranger_sees_no_numbers_of_others(strangers_browser, owner, make_task):
    ended(make_task, owner=owner, name="of the owner", status="FAILED", error_message="a secret")
    roll_up()
    page = strangers_browser.get("/stats/").content.decode()
    assert "No task finished in this range." in page
    assert "a secret" not in page


@pytest.mark.parametrize("most", [0, 1, 3, 4, 5, 94, 1204, 10**9])
def test_an_axis_ends_at_a_round_number_above_all(most):
    top = charts.top_of_axis(most)
    assert top >= max(most, 1)
    assert top % 4 == 0  # whole tasks at every line
    assert len(charts.ticks(top, str)) == 5


@pytest.mark.parametrize("most", [0, 0.002, 0.3, 3, 51, 3000, 10**6])
def test_an_axis_of_time_ends_above_all(most):
    assert charts.top_of_time(most) >= most


def test_bars_stay_in_the_picture_and_small_ones_are_seen():
    [[big, small]] = [charts.bars([[("SUCCESS", 1_000_000, ""), ("FAILED", 1, "")]], 1_000_001)]
    assert small.height == 2
    assert 0 <= small.y <= big.y <= charts.HEIGHT
    assert charts.bars([], 4) == charts.bars([[("SUCCESS", 0, "")]], 4) == []


def test_a_line_is_interrupted_where_there_is_no_value():
    assert charts.path([1.0, None, 2.0, 4.0], 4) == "M0 120h53M320 80L480 0"
    assert charts.area([1.0, None, 2.0, 4.0], 4) == "M320 160L320 80L480 0L480 160Z"
    assert charts.path([None], 4) == charts.path([], 4) == charts.area([None], 4) == ""
