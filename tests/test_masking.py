"""Secrets among parameters are shown to nobody."""

from __future__ import annotations

import logging
import logging.config
import sys
import time

import pytest
from django.conf import settings

from tasks.masking import MASK, holds_mask, masked


@pytest.mark.parametrize(
    "name",
    ["password", "smtp_passwd", "db_pwd", "passcode", "API_KEY", "api-key", "auth_token", "Authorization", "Cookie"],
)
def test_the_value_of_a_secret_name_is_masked(name):
    assert masked({name: "hunter2"}) == {name: MASK}


def test_secrets_are_found_at_any_depth():
    assert masked({"headers": [{"Authorization": "Token x", "Accept": "*/*"}]}) == {
        "headers": [{"Authorization": MASK, "Accept": "*/*"}]
    }


def test_a_password_within_an_address_is_masked():
    assert masked("see https://ann:hunter2@example.com/a?b") == f"see https://{MASK}@example.com/a?b"


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/a?x=1&access_token={}&y=2",
        "https://example.com/a?api-key={}",
        "it said 403 to https://example.com/?token={} at last",
        "--password={}",
        "SMTP_PASSWORD={} taskhub",
        '{{"user": "ann", "password": "{}"}}',
        "Authorization: Bearer {}",
        "Cookie: {}",
        "X-Api-Key: {}",
        "it sent Bearer {}",
        "smtp://ann:{}@mail.example.com:587",
        "smtp://ann:p@{}@mail.example.com:587",
        "{{'user': 'ann', 'password': '{}'}}",
        "{{'password': b'{}'}}",
        '{{\\"password\\": \\"{}\\"}}',
        'password="{} and more"',
        "api_key = {}",
        "password: {}",
        "taskhub --password {} at last",
        "https://example.com/a?sig={}&y=2",
        "https://example.com/a?X-Amz-Signature={}&y=2",
        "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_a_secret_within_a_text_is_masked_and_nothing_else(text):
    shown = masked(text.format("hunter2-s3cr3t"))
    assert "hunter2" not in shown
    assert MASK in shown
    for kept in ("example.com", "&y=2", "at last", "ann", "taskhub"):
        assert (kept in shown) == (kept in text) or "://ann:" in text


def test_an_options_value_is_masked_also_as_the_next_argument():
    arguments = ["import", "--api-token", "hunter2", "--verbose", "--token", "--dry-run", "file.csv"]
    assert masked(arguments) == ["import", "--api-token", MASK, "--verbose", "--token", MASK, "file.csv"]


def test_a_long_text_is_read_once():
    began = time.process_time()
    for text in ("a" * 1_000_000 + " token", "token" * 200_000, '"' * 1_000_000 + "token", "a://" * 250_000):
        masked(text)
    assert time.process_time() - began < 20


def test_what_was_copied_from_a_page_is_known_by_its_mask():
    assert holds_mask({"headers": [{"Authorization": MASK}]})
    assert holds_mask(f"https://example.com/?token={MASK}")
    assert not holds_mask({"headers": {"Accept": "*/*"}, "size": 7})


@pytest.mark.parametrize(
    "harmless",
    [
        {"num_rows": 7},
        {"password": ""},
        {"token": None},
        ["a", 1.5],
        "plain",
        None,
        "a basic understanding of the bearer instruments",
        "Reset your password: click here",
        "Unexpected token: <",
        "It is a matter of passing 12345678 rows",
        {"pwds": 7},
    ],
)
def test_what_is_no_secret_stays_as_it_is(harmless):
    assert masked(harmless) == harmless


def test_the_hubs_own_log_has_no_secrets_not_even_in_tracebacks():
    declared = dict(settings.LOGGING["formatters"]["line"])
    formatter = logging.config.DictConfigurator({}).configure_formatter(declared)
    try:
        raise ValueError("no row for password='hunter2'")
    except ValueError:
        record = logging.getLogger("tasks").makeRecord(
            "tasks", logging.ERROR, "", 0, "Asked https://ann:%s@example.com", ("hunter2",), sys.exc_info()
        )
    record.request_id = "-"
    said = formatter.format(record)
    assert "ValueError" in said
    assert "hunter2" not in said
