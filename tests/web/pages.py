"""Looking into pages: an element by its id, texts by class."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"input", "meta", "link", "br", "img", "hr"}


class Finder(HTMLParser):
    """Collects the markup and the text inside the element of an id; or of all with a class."""

    def __init__(self, wanted_id: str = "", wanted_class: str = "") -> None:
        super().__init__()
        self.wanted_id, self.wanted_class = wanted_id, wanted_class
        self.depth, self.markup, self.found = 0, [], []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        is_wanted = (self.wanted_id and values.get("id") == self.wanted_id) or (
            self.wanted_class and self.wanted_class in (values.get("class") or "").split()
        )
        if self.depth or is_wanted:
            if is_wanted and not self.depth:
                self.found.append("")
            if tag not in VOID:
                self.depth += 1
            if tag == "a":
                self.found[-1] += "\n"
            self.markup.append((tag, sorted((k, v or "") for k, v in attrs if k not in {"hx-swap-oob", "datetime"})))

    def handle_endtag(self, tag):
        if self.depth and tag not in VOID:
            self.depth -= 1

    def handle_data(self, data):
        if self.depth:
            self.found[-1] += data
            if data.strip():
                self.markup.append(data.strip())


def element(html: str, element_id: str) -> list:
    """The markup of the one element with this id, comparable whatever its white space."""
    finder = Finder(wanted_id=element_id)
    finder.feed(html)
    assert finder.found, f"There is no #{element_id}."
    return finder.markup


def texts(html: str, element_id: str) -> list[str]:
    """The words of the links inside an element, one string a link."""
    finder = Finder(wanted_id=element_id)
    finder.feed(html)
    return [" ".join(line.split()) for line in finder.found[0].splitlines() if line.strip()]


def elements(html: str, css_class: str) -> list[str]:
    finder = Finder(wanted_class=css_class)
    finder.feed(html)
    return [" ".join(text.split()) for text in finder.found]


def visible_text(html: str) -> str:
    finder = Finder(wanted_id="main")
    finder.feed(html)
    return " ".join(" ".join(finder.found).split())


class InlineCode(HTMLParser):
    """Collects what a strict content security policy forbids."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        names = {name for name, _value in attrs}
        if tag == "style" or (tag == "script" and "src" not in names):
            self.found.append(f"<{tag}>")
        self.found += [f"{tag} {name}" for name in names if name == "style" or name.startswith(("on", "hx-on"))]


def inline_code(html: str) -> list[str]:
    parser = InlineCode()
    parser.feed(html)
    return parser.found
