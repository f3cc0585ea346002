"""People sign in and out, with limits, and manage their tokens."""

from __future__ import annotations

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.utils import timezone

from tasks.accounts import tokens
from tasks.accounts.models import Token

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("login_mode")]


def sign_in(client, username="owner", password="owner's password", **extra):
    return client.post("/sign-in/", {"username": username, "password": password}, **extra)


# --- sign in and out


@pytest.mark.parametrize("path", ["/", "/tasks/new/", "/workers/", "/docs", "/admin/", "/account/tokens/", "/audit/"])
def test_a_page_leads_a_stranger_to_the_sign_in_page_and_back(client, owner, path):
    answer = client.get(path)
    assert (answer.status_code, answer["Location"]) == (302, f"/sign-in/?next={path}")
    answer = client.post(answer["Location"], {"username": "owner", "password": "owner's password"})
    assert (answer.status_code, answer["Location"]) == (302, path)


def test_a_part_of_a_page_is_refused_not_led_away(client):
    assert client.get("/tasks/_table/", headers={"hx-request": "true"}).status_code == 401


def test_the_sign_in_page_tells_a_stranger_nothing_of_the_hub(client, make_task):
    make_task(name="secret plan")
    page = client.get("/sign-in/").content.decode()
    assert "secret plan" not in page
    assert "worker" not in page.lower()


def test_one_may_sign_in_by_the_address_too(client, owner):
    User.objects.filter(pk=owner.pk).update(email="owner@example.com")
    assert sign_in(client, "Owner@Example.com").status_code == 302


def test_signing_in_leads_to_no_other_site(client, owner):
    answer = client.post("/sign-in/?next=https://evil.example/", {"username": "owner", "password": "owner's password"})
    assert answer["Location"] == "/"


@pytest.mark.parametrize("name", ["owner", "nobody"])
def test_a_wrong_try_says_the_same_whether_the_name_is_known(client, owner, name):
    page = sign_in(client, name, "wrong").content.decode()
    assert "Name and password do not match. 4 tries are left." in page


def test_too_many_tries_make_a_name_wait_and_say_how_long(client, owner):
    for _ in range(5):
        answer = sign_in(client, password="wrong")
    assert answer.status_code == 429
    assert "Try again after" in answer.content.decode()
    assert sign_in(client).status_code == 429


def test_the_wait_ends_by_itself(client, owner):
    for _ in range(5):
        sign_in(client, password="wrong")
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
    assert sign_in(client).status_code == 302


def test_a_stranger_who_guesses_does_not_lock_the_person_out(client, owner):
    for _ in range(6):
        sign_in(client, password="wrong", REMOTE_ADDR="192.0.2.7")
    assert sign_in(client, REMOTE_ADDR="192.0.2.8").status_code == 302


@pytest.mark.parametrize(("peer", "status"), [("127.0.0.1", 302), ("192.0.2.7", 429)])
def test_only_a_proxy_on_this_machine_is_believed_about_addresses(client, owner, peer, status):
    for number in range(6):
        answer = sign_in(client, password="wrong", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=f"192.0.2.{number}")
    answer = sign_in(client, REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR="192.0.2.99")
    assert answer.status_code == status


def test_the_password_of_a_failed_try_is_kept_nowhere(client, owner):
    sign_in(client, password="my real passphrase")
    assert "passphrase" not in str(list(AccessAttempt.objects.values()))


def test_signing_in_and_out_leaves_lines_that_name_the_person(client, owner):
    sign_in(client)
    client.post("/sign-out/")
    assert client.get("/").status_code == 302
    lines = LogEntry.objects.order_by("id").values_list("user__username", "change_message")
    assert list(lines) == [("owner", "Signed in"), ("owner", "Signed out")]


def test_the_admin_is_for_staff(owners_browser, staff_browser):
    assert owners_browser.get("/admin/", follow=True).status_code == 403
    assert staff_browser.get("/admin/").status_code == 200


def test_a_password_can_be_changed(owners_browser, client):
    new = {"new_password1": "a longer passphrase", "new_password2": "a longer passphrase"}
    assert owners_browser.post("/account/password/", {"old_password": "wrong"} | new).status_code == 200
    assert owners_browser.post("/account/password/", {"old_password": "owner's password"} | new).status_code == 302
    assert sign_in(client, password="a longer passphrase").status_code == 302
    [line] = LogEntry.objects.filter(change_message="Changed the password")
    assert line.user.username == "owner"


# --- tokens


def test_a_new_token_is_shown_once_with_a_ready_command(owners_browser, client, owner):
    page = owners_browser.post("/account/tokens/", {"name": "laptop", "days": "90"}).content.decode()
    text = page.split('id="token">')[1].split("<")[0]
    assert f"curl -H &#x27;Authorization: Token {text}&#x27; http://testserver/api/tasks/" in page or (
        f"curl -H 'Authorization: Token {text}' http://testserver/api/tasks/" in page
    )
    assert client.get("/api/tasks/", headers={"authorization": f"Token {text}"}).status_code == 200
    again = owners_browser.get("/account/tokens/").content.decode()
    assert "laptop" in again
    assert text not in again


@pytest.mark.parametrize(("days", "expires"), [("30", True), ("", False)])
def test_a_token_expires_as_chosen(owners_browser, days, expires):
    owners_browser.post("/account/tokens/", {"name": "laptop", "days": days})
    assert (Token.objects.get().expiry is not None) == expires


@pytest.mark.parametrize("fields", [{"name": ""}, {"name": "x" * 101}, {"name": "laptop", "days": "7000"}])
def test_a_wrong_token_form_makes_none(owners_browser, fields):
    assert owners_browser.post("/account/tokens/", fields).status_code == 422
    assert not Token.objects.exists()


def test_a_token_is_revoked_by_its_person_alone(owners_browser, strangers_browser, owner):
    token, _text = tokens.make(owner, "laptop", 30)
    path = f"/account/tokens/{token.public_id}/revoke/"
    assert strangers_browser.post(path).status_code == 404
    assert owners_browser.post(path).status_code == 302
    assert not Token.objects.exists()


def test_nobody_sees_anothers_tokens(strangers_browser, owner):
    tokens.make(owner, "owner's laptop", 30)
    assert "laptop" not in strangers_browser.get("/account/tokens/").content.decode()
