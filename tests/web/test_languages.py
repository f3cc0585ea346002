"""German is complete, and what is compiled is what is written."""

from __future__ import annotations

import ast
import gettext
import io
import itertools
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation
from django.utils.translation.template import templatize

from tasks.web import words

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tasks/locale/de/LC_MESSAGES"
MARKS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"}
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


def marked() -> Iterator[tuple[Path, str]]:
    """Every text that is marked for translation, with its file. In Python alone: a machine may have no gettext tools."""
    for folder in ("tasks", "taskhub"):
        for path in (ROOT / folder).rglob("*.py"):
            for text in marked_in(path.read_text()):
                yield path, text
    for path in (ROOT / "templates").rglob("*.html"):
        # In one line, as what is indented in a template has no meaning for Python.
        for text in marked_in(templatize(path.read_text()).replace("\n", " ")):
            yield path, text


def marked_in(source: str) -> Iterator[str]:
    """The first argument of every call of a mark; its pieces joined, if it is in several."""
    tokens = [
        token
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in {tokenize.NL, tokenize.COMMENT}
    ]
    for at, (name, bracket) in enumerate(itertools.pairwise(tokens)):
        if name.string in MARKS and bracket.string == "(":
            pieces = itertools.takewhile(lambda token: token.type == tokenize.STRING, tokens[at + 2 :])
            if text := "".join(ast.literal_eval(piece.string) for piece in pieces):
                yield text


def test_every_text_that_is_marked_is_in_the_catalogue():
    known = written()
    found = list(marked())
    assert [f"{path.relative_to(ROOT)}: {text}" for path, text in found if text not in known] == []
    assert known.keys() - {text for _path, text in found} == set()


@pytest.mark.parametrize(
    "source",
    [
        '_("a text")',
        'gettext_lazy(\n    "a "\n    "text"  # note\n)',
        'ngettext("a text", "texts", n)',
        'f(_("a text") % x)',
    ],
)
def test_texts_are_found_however_they_are_marked(source):
    assert list(marked_in(source)) == ["a text"]


def test_no_translation_is_a_guess():
    assert "fuzzy" not in (FOLDER / "django.po").read_text()


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
