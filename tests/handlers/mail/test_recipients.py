"""TaskHub promises that a list of recipients is read as people write it."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from tasks.handlers.mail.recipients import BadRecipients, read_recipients


def read(content: bytes | str, name: str = "list.csv", most: int = 100):
    content = content.encode() if isinstance(content, str) else content
    return read_recipients(SimpleUploadedFile(name, content), most=most)


def test_addresses_may_stand_one_a_line_or_with_commas_and_may_have_names():
    text = 'ann@example.org, Bo Lee <bo@example.org>\n"Quinn, Avery" <q@example.org>; cy@example.org\n\n'
    found = read_recipients(None, text, most=10)
    assert [(one.email, one.name) for one in found.accepted] == [
        ("ann@example.org", ""),
        ("bo@example.org", "Bo Lee"),
        ("q@example.org", "Quinn, Avery"),
        ("cy@example.org", ""),
    ]


@pytest.mark.parametrize(
    "content",
    [
        "name,email\nZoë,zoe@example.org\n",
        "name;E-Mail\nZoë;zoe@example.org\n",
        "Name\tEmail address\nZoë\tzoe@example.org\n",
        "\ufeffname,email\nZoë,zoe@example.org\n",
        '"name","email"\r\n"Zoë","zoe@example.org"\r\n',
        "name,email\nZoë,zoe@example.org\n".encode("latin-1"),
        "name,email\nZoë,zoe@example.org\n".encode("utf-16"),
    ],
)
def test_a_csv_file_is_read_whatever_its_separator_and_encoding(content):
    [one] = read(content).accepted
    assert (one.email, one.name) == ("zoe@example.org", "Zoë")


def test_a_file_and_a_text_are_one_list():
    found = read_recipients(SimpleUploadedFile("a.csv", b"email\na@example.org\n"), "b@example.org", most=10)
    assert [one.email for one in found.accepted] == ["a@example.org", "b@example.org"]


def test_a_csv_file_of_bare_addresses_needs_no_header():
    assert [one.email for one in read("a@example.org\nb@example.org\n").accepted] == ["a@example.org", "b@example.org"]


def test_the_other_columns_are_fields_under_plain_names():
    found = read("email,First name,Größe!\na@example.org,Ann,XL\n")
    assert found.accepted[0].fields == {"name": "", "email": "a@example.org", "first_name": "Ann", "größe": "XL"}
    assert found.columns == {"email", "name", "first_name", "größe"}


def test_malformed_and_double_addresses_are_set_aside_with_their_line_and_reason():
    found = read("email,name\na@example.org,Ann\nA@Example.org,Ann\nnobody,No\n,Bo\nbjörn@example.org,Björn\n")
    assert [one.email for one in found.accepted] == ["a@example.org"]
    assert [(one.line, one.email, one.reason) for one in found.set_aside] == [
        (3, "A@Example.org", "named twice"),
        (4, "nobody", "not an e-mail address"),
        (5, "", "no address"),
        (6, "björn@example.org", "not an e-mail address"),
    ]


def test_a_domain_may_have_any_letters_that_have_a_form_in_ascii():
    found = read(f"email\nann@exämple.org\nbo@{'ä' * 60}.org\n")
    assert [one.email for one in found.accepted] == ["ann@exämple.org"]
    assert [one.reason for one in found.set_aside] == ["not an e-mail address"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"name,city\nAnn,Rome\n", "list.csv has no column “email”. Its columns: name, city."),
        (b"", "list.csv has no column “email”. Its columns: none."),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "list.csv is not a text file."),
        (b"email\n" + b"x" * 100_001 + b"\n", "Line 2 of list.csv cannot be read: longer than 100,000 characters."),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_in_a_sentence(content, sentence):
    with pytest.raises(BadRecipients, match="^" + sentence.replace("(", r"\(")):
        read(content)


def test_a_list_over_the_limit_is_refused():
    with pytest.raises(BadRecipients, match="More than 1,000 recipients"):
        read("email\n" + "".join(f"u{n}@example.org\n" for n in range(1001)), most=1000)
