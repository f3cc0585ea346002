"""The first admin is made from the environment: once, and never overwritten."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from tasks.accounts.first_admin import make_first_admin

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def named(settings):
    settings.ACCESS, settings.ADMIN_EMAIL, settings.ADMIN_PASSWORD = "login", "ann@example.com", "first password"


def test_the_first_admin_can_sign_in_and_do_everything(client):
    make_first_admin()
    admin = User.objects.get()
    assert (admin.username, admin.email) == ("ann@example.com", "ann@example.com")
    assert admin.is_superuser
    assert admin.check_password("first password")


def test_the_first_admin_is_never_overwritten(settings):
    make_first_admin()
    settings.ADMIN_PASSWORD = "second password"
    make_first_admin()
    assert User.objects.get().check_password("first password")


def test_with_another_admin_there_none_is_made(staff):
    make_first_admin()
    assert User.objects.get() == staff


def test_the_local_user_of_former_days_is_no_admin_to_sign_in(client):
    User.objects.create_superuser("local")
    make_first_admin()
    assert User.objects.filter(username="ann@example.com").exists()


def test_a_person_of_that_address_is_left_as_they_are():
    User.objects.create_user("ann", "ANN@example.com")
    make_first_admin()
    assert not User.objects.get().is_superuser


@pytest.mark.parametrize(("name", "value"), [("ACCESS", "local"), ("ADMIN_EMAIL", ""), ("ADMIN_PASSWORD", "")])
def test_without_login_mode_and_both_values_none_is_made(settings, name, value):
    setattr(settings, name, value)
    make_first_admin()
    assert not User.objects.exists()
