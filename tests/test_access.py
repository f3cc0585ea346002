"""Local mode: who is let in, who is not, and whom the one who is acts as."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from tasks import access
from tasks.models import Task

NOOP = {"task_type": "NOOP"}


def get(client, path="/api/tasks/", **extra):
    return client.get(path, **extra)


def post(client, **extra):
    return client.post("/api/tasks/submit", NOOP, content_type="application/json", **extra)


# --- who is let in


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
def test_a_loopback_peer_is_let_in(client, address):
    assert get(client, REMOTE_ADDR=address).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address", ["192.0.2.7", "10.0.0.1", "::ffff:10.0.0.1", "fe80::1%eth0", "", "unix:", "localhost"]
)
def test_any_other_peer_is_refused_with_the_setting_to_change(client, address):
    answer = get(client, REMOTE_ADDR=address)
    assert answer.status_code == 403
    assert "TASKHUB_ACCESS=login" in answer.json()["detail"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "header", ["Forwarded", "X-Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Via"]
)
def test_what_came_through_a_proxy_is_refused(client, header):
    answer = get(client, headers={header: "127.0.0.1"})
    assert answer.status_code == 403
    assert "TASKHUB_ACCESS=login" in answer.json()["detail"]


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8000", "a b"])
def test_a_host_name_that_leads_here_from_elsewhere_is_refused(client, host):
    answer = get(client, headers={"host": host})
    assert answer.status_code == 403
    assert "TASKHUB_ALLOWED_HOSTS" in answer.json()["detail"]


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
def test_this_machines_own_names_are_let_in(client, host):
    assert get(client, headers={"host": host}).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/admin/", "/docs"])
def test_pages_are_refused_in_words_too(client, path):
    answer = get(client, path, REMOTE_ADDR="192.0.2.7")
    assert answer.status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/livez", "/livez/", "/readyz", "/readyz/"])
def test_probes_are_answered_whoever_asks(client, path):
    assert get(client, path, REMOTE_ADDR="192.0.2.7").status_code == 200


# --- what a browser sends for other sites


@pytest.mark.django_db
@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": "http://testserver"},
        {"origin": "http://evil.example"},
        {"origin": "https://testserver"},
        {"origin": "http://testserver:8001"},
        {"origin": "null"},
    ],
)
def test_no_page_elsewhere_can_submit_work(client, headers):
    assert post(client, headers=headers).status_code == 403
    assert not Task.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
        {"origin": "http://testserver"},
    ],
)
@pytest.mark.parametrize("strict", [False, True])
def test_own_pages_and_programs_can_submit_work_without_a_token(headers, strict):
    assert post(Client(enforce_csrf_checks=strict), headers=headers).status_code == 201


@pytest.mark.django_db
def test_a_cross_site_form_post_is_refused(client):
    answer = client.post("/api/tasks/submit", {"task_type": "NOOP"}, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403


# --- other accounts of this machine


@pytest.fixture
def pair():
    """Two ends of a real connection on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as near:
        far, _ = server.accept()
        with far:
            yield near, far


@pytest.mark.django_db
def test_a_program_of_this_account_is_let_in(client, pair):
    assert get(client, **{"gunicorn.socket": pair[1]}).status_code == 200


@pytest.mark.django_db
def test_a_program_of_another_account_is_refused(client, pair, monkeypatch):
    monkeypatch.setattr("tasks.peers.owner_of", lambda near, far: 65534)
    assert get(client, **{"gunicorn.socket": pair[1]}).status_code == 403


@pytest.mark.django_db
def test_a_peer_that_has_gone_is_refused(client, pair):
    near, far = pair
    near.close()
    assert get(client, **{"gunicorn.socket": far}).status_code == 403


# --- the user `local`


@pytest.mark.django_db
def test_the_local_user_may_do_everything_but_sign_in(client):
    get(client)
    user = User.objects.get(username="local")
    assert user.is_staff
    assert user.is_superuser
    assert not user.has_usable_password()
    assert not client.login(username="local", password="")


@pytest.mark.django_db
def test_local_tasks_belong_to_the_local_user(client):
    assert post(client).json()["owner"] == "local"


@pytest.mark.django_db
def test_the_admin_is_open_to_the_local_user(client):
    assert get(client, "/admin/").status_code == 200


@pytest.fixture
def forgetful():
    access.remembered.forget()
    yield
    access.remembered.forget()


@pytest.mark.django_db(transaction=True)
def test_two_first_requests_at_once_make_one_local_user(forgetful):
    def first(_number):
        try:
            return get(Client()).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(first, range(4))) == {200}
    assert User.objects.filter(username="local").count() == 1


@pytest.mark.django_db(transaction=True)
def test_knowing_the_local_user_costs_no_query(client, forgetful, django_assert_num_queries):
    get(client, "/api/task-types")
    with django_assert_num_queries(0):
        assert get(client, "/api/task-types").status_code == 200


@pytest.mark.django_db
def test_a_user_that_may_be_rolled_back_is_not_remembered(forgetful):
    access.local_user()
    assert access.remembered.get() is None


@pytest.mark.django_db
def test_nobody_is_local_in_login_mode(client, settings):
    settings.ACCESS = "login"
    assert get(client).status_code == 401
    assert access.LocalAuthentication().authenticate(SimpleNamespace(_request=None)) is None
