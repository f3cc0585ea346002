"""What a person may, read in one query."""

from __future__ import annotations

import pytest
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AnonymousUser, Group, Permission, User

from tasks.accounts.backends import Permissions

pytestmark = pytest.mark.django_db


def permission(name: str) -> Permission:
    app, codename = name.split(".")
    return Permission.objects.get(codename=codename, content_type__app_label=app)


def test_a_person_has_their_own_permissions_and_those_of_their_groups_by_one_query(owner, django_assert_num_queries):
    group = Group.objects.create(name="viewers")
    group.permissions.add(permission("tasks.view_all_tasks"), permission("tasks.view_task"))
    owner.groups.add(group)
    owner.user_permissions.add(permission("tasks.view_task"), permission("auth.view_user"))
    with django_assert_num_queries(1):
        assert owner.get_all_permissions() == {"tasks.view_all_tasks", "tasks.view_task", "auth.view_user"}
        assert owner.has_perm("tasks.view_all_tasks")
        assert not owner.has_perm("tasks.manage_all_tasks")


@pytest.mark.parametrize("kind", ["plain", "inactive", "super", "nobody"])
def test_everybody_may_what_djangos_own_backend_says(kind):
    user = AnonymousUser() if kind == "nobody" else User(is_active=kind != "inactive", is_superuser=kind == "super")
    if kind != "nobody":
        user.username = kind
        user.save()
        user.user_permissions.add(permission("tasks.view_task"))
    assert Permissions().get_all_permissions(user) == ModelBackend().get_all_permissions(fresh(user))


def fresh(user):
    return User.objects.get(pk=user.pk) if user.pk else user


def test_a_permission_of_another_is_nobody_elses(owner, stranger):
    stranger.user_permissions.add(permission("tasks.view_all_tasks"))
    assert owner.get_all_permissions() == set()
