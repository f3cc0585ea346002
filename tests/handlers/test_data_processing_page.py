from __future__ import annotations

import json
import re
from typing import Any

from django.template.loader import render_to_string

from tasks.handlers.data_processing import one_pass
from tasks.testing import run_handler
from tests.handlers.tables import profiled


def page(result: dict[str, Any]) -> str:
    """The result's page, from the result as the database gives it back."""
    return render_to_string("tasks/results/data_processing.html", {"result": json.loads(json.dumps(result))})


def test_the_page_shows_a_card_a_column_the_warnings_and_the_first_rows():
    html = page(run_handler("DATA_PROCESSING", {"num_rows": 200}).result)
    assert html.count("<article") == 9
    assert html.count('class="histogram"') == 6
    assert html.count('class="top"') == 3
    assert "values that are not numbers" in html
    assert html.count('<th scope="row" class="num">') == 100


def test_the_page_says_what_comes_from_a_sample(monkeypatch):
    content = "n,t\n" + "".join(f"{number},text {number % 900}\n" for number in range(2000))
    said = ("come from a sample of up to 2,000 rows", "The commonest in a sample, counted in every row.")
    whole = page(profiled(content, clean_copy=False))
    monkeypatch.setattr(one_pass, "BIG_FILE", 0)
    sampled = page(profiled(content, clean_copy=False))
    assert [text in sampled for text in said] == [True, True]
    assert [text in whole for text in said] == [False, False]


def test_drawings_are_made_of_whole_numbers_within_their_frame():
    html = page(run_handler("DATA_PROCESSING", {"num_rows": 200}).result)
    for drawing in re.findall(r'<svg class="histogram".*?</svg>', html):
        for x, y, width, height in re.findall(r'<rect x="(.*?)" y="(.*?)" width="(.*?)" height="(.*?)"', drawing):
            assert 0 <= int(x) < int(x) + int(width) <= 240
            assert int(y) >= 0
            assert int(y) + int(height) == 60


def test_what_a_file_says_stays_text_on_the_page():
    evil = "<script>alert(1)</script>"
    html = page(profiled(f'"{evil}",n\n"{evil}",1\n"{evil}",2\n"{evil}","{evil}"\n' + "x,3\n" * 50))
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_no_style_or_script_is_in_the_page():
    html = page(run_handler("DATA_PROCESSING", {"num_rows": 20}).result)
    assert not re.search(r"<script|\sstyle=|\son\w+=", html)


def test_of_many_columns_the_first_have_cards_and_all_are_in_the_table():
    names = ",".join(f"c{number}" for number in range(40))
    html = page(profiled(f"{names}\n" + ",".join(["1"] * 40) + "\n"))
    assert html.count("<article") == 24
    assert "24 of 40 shown" in html
    assert "<code>c39</code>" in html


def test_columns_of_every_kind_are_shown():
    html = page(
        profiled(
            "i,n,b,d,z,t,u,s,e,l\n"
            "1,1.5,yes,2024-01-31,2024-01-31 10:00:00,10:20,27:00:00,5,,long\n"
            "2,0.00001,no,2024-02-01,2024-02-01 11:00:00,11:20,90:00:00,5,,longer\n"
        )
    )
    for shown in (
        "integer",
        "yes or no",
        "date and time",
        "time of day",
        "1 d 3 h",
        "2024-01-31",
        "empty",
    ):
        assert shown in html
