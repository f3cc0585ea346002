"""Secrets among parameters are shown to nobody."""

from __future__ import annotations

import pytest

from tasks.masking import MASK, masked


@pytest.mark.parametrize(
    "name", ["password", "smtp_passwd", "API_KEY", "api-key", "auth_token", "Authorization", "Cookie"]
)
def test_the_value_of_a_secret_name_is_masked(name):
    assert masked({name: "hunter2"}) == {name: MASK}


def test_secrets_are_found_at_any_depth():
    assert masked({"headers": [{"Authorization": "Token x", "Accept": "*/*"}]}) == {
        "headers": [{"Authorization": MASK, "Accept": "*/*"}]
    }


def test_a_password_within_an_address_is_masked():
    assert masked("see https://ann:hunter2@example.com/a?b") == f"see https://{MASK}@example.com/a?b"


@pytest.mark.parametrize("harmless", [{"num_rows": 7}, {"password": ""}, {"token": None}, ["a", 1.5], "plain", None])
def test_what_is_no_secret_stays_as_it_is(harmless):
    assert masked(harmless) == harmless
