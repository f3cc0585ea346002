"""TaskHub promises that a letter says to each what was meant, and nothing else."""

from __future__ import annotations

import pytest

from tasks.handlers.mail.letter import Attachment, Letter, merge
from tasks.handlers.mail.recipients import Recipient


def person(**fields: str) -> Recipient:
    return Recipient("ann@example.org", fields.get("name", ""), {"email": "ann@example.org", "name": ""} | fields)


@pytest.mark.parametrize(
    ("text", "merged"),
    [
        ("Hello $name", "Hello Ann"),
        ("Hello ${Name}!", "Hello Ann!"),
        ("Hello ${nick|friend}", "Hello friend"),
        ("Hello ${name|friend}", "Hello Ann"),
        ("$ 5, $$5, $5 and $nobody", "$ 5, $5, $5 and $nobody"),
        ("{{ settings.SECRET_KEY }} {name.__class__} %(name)s", "{{ settings.SECRET_KEY }} {name.__class__} %(name)s"),
    ],
)
def test_fields_are_filled_in_and_all_else_is_left_as_it_is(text, merged):
    assert merge(text, {"name": "Ann", "nick": ""}) == merged


def test_an_empty_value_gives_way_to_the_default():
    letter = Letter("s", "Dear $name from $city", defaults={"Name": "reader", "city": "here"})
    assert letter.compose(person(city="Rome")).body == "Dear reader from Rome"


def test_a_value_cannot_start_a_header():
    message = Letter("News for $name", "text").compose(person(name="Ann\r\nBcc: all@example.org"))
    assert message.subject == "News for Ann Bcc: all@example.org"
    assert "Bcc" not in dict(message.message())


def test_a_value_cannot_write_html():
    letter = Letter("s", html_body="<p>Hello $name</p>")
    [alternative] = letter.compose(person(name="<script>alert(1)</script>")).alternatives
    assert alternative.content == "<p>Hello &lt;script&gt;alert(1)&lt;/script&gt;</p>"


def test_an_html_body_alone_gives_a_text_too():
    message = Letter("s", html_body="<h1>News</h1>\n<p>for $name &amp; all</p>").compose(person(name="Ann"))
    assert message.body == "News\nfor Ann & all\n"
    assert message.message().get_content_type() == "multipart/alternative"


def test_a_name_with_a_comma_stays_one_recipient():
    assert Letter("s", "b").compose(person(name="Quinn, Avery")).to == ['"Quinn, Avery" <ann@example.org>']


def test_a_domain_of_any_letters_is_written_as_mail_servers_take_it(settings):
    settings.DEFAULT_FROM_EMAIL = "TaskHub <hub@müll.example>"
    message = Letter("s", "b", unsubscribe="out@müll.example").compose(Recipient("ann@exämple.org", "Ann"))
    assert (message.to, message.from_email) == (["Ann <ann@xn--exmple-cua.org>"], "TaskHub <hub@xn--mll-hoa.example>")
    assert message.message()["List-Unsubscribe"] == "<mailto:out@xn--mll-hoa.example?subject=unsubscribe>"


def test_the_senders_address_is_the_installations_own(settings):
    settings.DEFAULT_FROM_EMAIL = "TaskHub <hub@example.org>"
    assert Letter("s", from_name="Boss <boss@bank.example>").sender == '"Boss <boss@bank.example>" <hub@example.org>'


@pytest.mark.parametrize(
    ("unsubscribe", "header"),
    [
        ("https://example.org/out?who=$email", "<https://example.org/out?who=ann%40example.org>"),
        ("out@example.org", "<mailto:out@example.org?subject=unsubscribe>"),
        ("", "<mailto:answers@example.org?subject=unsubscribe>"),
    ],
)
def test_everybody_can_unsubscribe(unsubscribe, header):
    letter = Letter("s", "b", unsubscribe=unsubscribe, reply_to="answers@example.org")
    message = letter.compose(person()).message()
    assert message["List-Unsubscribe"] == header
    assert ("List-Unsubscribe-Post" in message) == unsubscribe.startswith("https")


def test_attachments_go_along():
    letter = Letter("s", "b", attachments=[Attachment("plan.pdf", b"%PDF", "application/pdf")])
    parts = list(letter.compose(person()).message().walk())
    assert parts[-1].get_filename() == "plan.pdf"
    assert parts[-1].get_payload(decode=True) == b"%PDF"


def test_fields_that_nobody_has_are_named():
    letter = Letter("For $name", "$town ${zip|0} $$x", html_body="$Country", defaults={"country": "IT"})
    assert letter.missing_fields({"name", "email"}) == ["town"]
