"""German is complete, and what is compiled is what is written."""

from __future__ import annotations

import ast
import gettext
import re
from pathlib import Path

import pytest
from django.utils import translation

from tasks.web import words

FOLDER = Path(__file__).parents[2] / "tasks/locale/de/LC_MESSAGES"
PLACES = re.compile(r"%\(\w+\)[.\d]*[sdf]|\{\w+\}")


def written() -> dict[str, list[str]]:
    """The texts of the .po file, each with its plural if it has one, by the original."""
    found: dict[str, list[str]] = {}
    for block in (FOLDER / "django.po").read_text().split("\n\n"):
        texts: dict[str, str] = {}
        key = ""
        for line in block.splitlines():
            if line.startswith("#"):
                continue
            if not line.startswith('"'):
                key, _space, line = line.partition(" ")
                texts[key] = ""
            texts[key] += ast.literal_eval(line)
        if original := texts.get("msgid"):
            found[original] = [text for key, text in texts.items() if key.startswith("msgstr")]
    return found


def test_every_text_is_translated():
    assert [original for original, texts in written().items() if not all(texts)] == []
    assert len(written()) > 500


def test_a_translation_has_the_places_of_its_original():
    for original, texts in written().items():
        assert set(PLACES.findall(original)) == set(PLACES.findall(texts[0])), original


def test_what_is_compiled_is_what_is_written():
    with (FOLDER / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for original, texts in written().items():
        if len(texts) == 1:
            assert compiled.gettext(original) == texts[0]


@pytest.mark.django_db
def test_the_pages_speak_the_language_of_the_browser_or_the_one_chosen(client):
    assert "<h1>Aufgaben</h1>" in client.get("/", headers={"accept-language": "de"}).content.decode()
    client.post("/preferences/", {"language": "de"})
    assert "<h1>Aufgaben</h1>" in client.get("/").content.decode()


@pytest.mark.parametrize(
    ("seconds", "english", "german"),
    [
        (0.02, "20 ms", "20 ms"), (8.34, "8.3 s", "8,3 s"), (31, "31 s", "31 s"), (72, "1 min 12 s", "1 min 12 s"),
        (7560, "2 h 6 min", "2 h 6 min"), (266_400, "3 d 2 h", "3 d 2 h"), (-5, "0 s", "0 s"),
    ],
)  # fmt: skip
def test_durations_are_told_in_both_languages(seconds, english, german):
    assert words.duration(seconds) == english
    with translation.override("de"):
        assert words.duration(seconds) == german
