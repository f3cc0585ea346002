"""Every address, asked by everybody with every method: found in the URLconf, so that a new one is covered by existing.

Nobody is let in where they do not belong, nothing is found that one may not see, and nothing breaks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tasks.accounts import tokens
from tasks.models import Cluster, Queue, Task, TaskAttempt, TaskFile, TaskItem, TaskLogLine

pytestmark = pytest.mark.django_db

METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
OPEN = {"api/health", "api/health/", "livez", "livez/", "readyz", "readyz/", "sign-in/", "favicon.ico"}
SECRET = "the-secret-of-the-owner"
# Bodies that would do something if they were let in.
BODIES = {"bulk-submit": [{"task_type": "NOOP"}], "submit": {"task_type": "NOOP"}, "tasks": {"task_type": "NOOP"}}


def routes(resolver: URLResolver | None = None, before: str = "") -> list[str]:
    """The route of every view, with its converters: `api/tasks/<str:task_id>`."""
    found = []
    for entry in (resolver or get_resolver()).url_patterns:
        route = before + str(entry.pattern)
        found += routes(entry, route) if isinstance(entry, URLResolver) else [route]
        assert isinstance(entry, URLPattern | URLResolver)
    return found


def is_ours(route: str) -> bool:
    """The admin checks permissions on its own, and is walked below."""
    return not route.startswith("admin/")


ROUTES = sorted({route for route in routes() if is_ours(route) and "(?P" not in route and "^" not in route})


MODELS = {model._meta.label_lower for model in admin.site._registry}
ADMIN_ROUTES = sorted({route for route in routes() if route.startswith("admin/")} - {"admin/(?P<url>.*)$"})
# For every member of the staff, whatever they may do.
ADMIN_OPEN_TO_STAFF = {
    "admin/",
    "admin/jsi18n/",
    "admin/logout/",
    "admin/password_change/",
    "admin/password_change/done/",
}


@dataclass
class World:
    """A task of the owner's with everything that belongs to one, and a token."""

    task: Task
    values: dict[str, Any]

    def path(self, route: str) -> str:
        return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda match: str(self.values[match[1]]), route)


@pytest.fixture
def world(settings, make_task, owner) -> World:
    settings.ACCESS = "login"
    task = make_task("NOOP", status="FAILED", owner=owner, name=SECRET, error_message=SECRET, result_data={"x": SECRET})
    TaskAttempt.objects.create(task=task, outcome="failed", error=SECRET, traceback=SECRET)
    TaskLogLine.objects.create(task=task, seq=1, message=SECRET)
    TaskItem.objects.create(task=task, position=0, key=SECRET, state="failed")
    file = TaskFile(task=task, kind="output", name=f"{SECRET}.txt", size=len(SECRET))
    file.content.save("a.txt", ContentFile(SECRET.encode()), save=False)
    file.save()
    Cluster.objects.create(id="c", host="h", hostname="h", pid=1, lease_expires_at=task.created_at)
    Queue.objects.get_or_create(name="default")
    token, _text = tokens.make(owner, SECRET, 1)
    values = {
        "task_id": task.pk,
        "file_id": file.pk,
        "kind": "NOOP",
        "queue": "default",
        "public_id": token.public_id,
        "token_id": token.public_id,
        "name": "default",
        "content_type_id": ContentType.objects.get_for_model(Task).pk,
        "object_id": task.pk,
        "app_label": "tasks",
    }
    return World(task, values)


class Answer(NamedTuple):
    status: int
    location: str
    text: str


def ask(client: Client, method: str, path: str, more: dict[str, Any] | None = None) -> Answer:
    if more is None:
        body = next((body for word, body in BODIES.items() if path.rstrip("/").endswith(word)), {})
        more = {} if method in {"get", "head"} else {"data": body, "content_type": "application/json"}
    answer = getattr(client, method)(path, **more)
    text = answer.getvalue().decode(errors="replace")
    for close in answer._resource_closers if method == "head" else []:
        close()  # the file of an answer without a body
    return Answer(answer.status_code, answer.headers.get("Location", ""), text)


def ask_all_ways(client: Client, world: World, route: str) -> Iterator[tuple[str, Answer]]:
    """With every method, and with bodies that name what is the owner's, for views that act on what a body names."""
    path, named = world.path(route), {name: str(value) for name, value in world.values.items()}
    for action in ("cancel", "retry", "delete"):
        fields = named | {"id": [str(world.task.pk)], "action": action, "confirmed": "1"}
        yield "post", ask(client, "post", path, {"data": fields})
        body = named | {"ids": [str(world.task.pk)], "action": action}
        yield "post", ask(client, "post", path, {"data": body, "content_type": "application/json"})
    for method in METHODS:
        yield method, ask(client, method, path)


def browser_of(person: User, *permissions: str) -> Client:
    person.user_permissions.add(*Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(person)
    return client


@pytest.mark.parametrize("route", ROUTES)
def test_a_stranger_is_let_in_nowhere_but_at_the_open_doors(world, client, route):
    for method, answer in ask_all_ways(client, world, route):
        if route in OPEN:
            assert answer.status < 500
        elif answer.status == 302:
            assert answer.location.startswith("/sign-in/"), (method, route)
        else:
            assert answer.status in {401, 403, 404, 405}, (method, route)
        assert SECRET not in answer.text
    unchanged(world)


@pytest.mark.parametrize("route", ROUTES)
def test_a_teammate_without_permission_finds_nothing_of_the_owners(world, stranger, route):
    client = browser_of(stranger)
    for method, answer in ask_all_ways(client, world, route):
        assert answer.status < 500, (method, route)
        assert SECRET not in answer.text, (method, route)
        if "task_id" in route or "file_id" in route or "public_id" in route or "token_id" in route:
            assert answer.status in {404, 405} or method == "options", (method, route)
    unchanged(world)


@pytest.mark.parametrize("route", ROUTES)
def test_whoever_may_only_see_changes_nothing(world, stranger, route):
    client = browser_of(stranger, "view_all_tasks")
    for method, answer in ask_all_ways(client, world, route):
        assert answer.status < 500, (method, route)
    unchanged(world)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("who", ["owner", "staff"])
def test_nothing_breaks_for_those_who_belong_here(world, request, who, route):
    person = request.getfixturevalue(who)
    for method in METHODS:
        client = browser_of(person)
        answer = ask(client, method, world.path(route))
        assert answer.status < 500, (method, route)


# What views read from an address, beside the fields of filters and forms.
ASKED = (
    "about after before csv cursor fields from kind next order owner q queue range since state status task_type v who"
)


@pytest.mark.parametrize("route", ROUTES)
def test_a_nul_that_no_database_takes_breaks_nothing(world, staff, route):
    client = browser_of(staff)
    for name in ASKED.split():
        answer = ask(client, "get", f"{world.path(route)}?{name}=%00a")
        assert answer.status < 500, (route, name)
    for name in re.findall(r"<(?:str:)?(\w+)>", route):
        nowhere = World(world.task, world.values | {name: "%00a"})
        for method in ("get", "post", "delete"):
            assert ask(client, method, nowhere.path(route)).status < 500, (route, method)
    if not route.startswith("api/"):
        fields = {
            "id": "\0",
            "items": "\0",
            "next": "/\0",
            "receipt": "\0",
            "action": "\0",
            "queue": "\0",
            "name": "\0",
        }
        assert ask(client, "post", world.path(route), {"data": fields}).status < 500


@pytest.mark.parametrize("route", ROUTES)
def test_a_head_is_answered_like_a_get(world, staff, route):
    client = browser_of(staff)
    got, headed = (ask(client, method, world.path(route)) for method in ("get", "head"))
    assert (headed.status, headed.location, headed.text) == (got.status, got.location, "")


@pytest.mark.parametrize("part", ["", "/log", "/items", "/attempts"])
def test_the_owner_finds_their_own(world, owner, part):
    assert SECRET in ask(browser_of(owner), "get", f"/api/tasks/{world.task.pk}{part}").text


def admin_path(route: str) -> str:
    """Of a row that is there: the first of its model, or of the tasks."""
    route = route.replace("^(?P<app_label>tasks|accounts|admin|auth|axes)/$", "tasks/")
    [name] = re.findall(r"^admin/(\w+/\w+)/", route) or ["tasks/task"]
    model = apps.get_model(*name.split("/")) if name.replace("/", ".") in MODELS else Task
    row = model._default_manager.first()
    values = {
        "content_type_id": ContentType.objects.get_for_model(Task).pk,
        "object_id": quote(row.pk) if row else "1",
        "id": row.pk if row else 1,
    }
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda match: str(values[match[1]]), route)


@pytest.fixture
def rows_of_every_model(world, owner, staff) -> None:
    Group.objects.create(name="team")
    LogEntry.objects.create(user=staff, action_flag=1, object_repr="a queue", content_type=None)
    for model, more in ((AccessAttempt, {"failures_since_start": 1}), (AccessFailureLog, {}), (AccessLog, {})):
        model.objects.create(username="someone", ip_address="192.0.2.1", user_agent="a", path_info="/", **more)


@pytest.mark.parametrize("route", ADMIN_ROUTES)
def test_the_admin_is_for_staff_and_for_what_each_of_them_may_do(rows_of_every_model, world, client, stranger, route):
    path = admin_path(route)
    clerk = User.objects.create_user("clerk", is_staff=True)
    for method in ("get", "post"):
        answer = ask(client, method, path)
        assert answer.status == 302
        assert answer.location.startswith("/sign-in/")
        assert_refused(ask(browser_of(stranger, "view_all_tasks"), method, path))
        if route not in ADMIN_OPEN_TO_STAFF:
            assert_refused(ask(browser_of(clerk), method, path))
    unchanged(world)


def assert_refused(answer: Answer) -> None:
    assert answer.status in {302, 403, 404, 405}
    assert SECRET not in answer.text


@pytest.mark.parametrize("route", ADMIN_ROUTES)
def test_nothing_in_the_admin_breaks_for_staff_or_edits_a_task(rows_of_every_model, world, staff, route):
    path = admin_path(route)
    for method in METHODS:
        answer = ask(browser_of(staff), method, path)
        assert answer.status < 500, (method, route)
        if method == "get" and route.endswith("/change/"):
            assert answer.status == 200
    unchanged(world)


def test_no_address_of_ours_is_left_out():
    """A regular expression would be: its values cannot be filled in."""
    assert {route for route in routes() if is_ours(route)} == set(ROUTES)


def test_the_walk_reaches_every_kind_of_address():
    for known in (
        "",
        "api/tasks/<str:task_id>",
        "tasks/<uuid:task_id>/",
        "files/<uuid:file_id>/",
        "audit/",
        "workers/",
    ):
        assert known in ROUTES
    for model in admin.site._registry:
        assert f"admin/{model._meta.label_lower.replace('.', '/')}/<path:object_id>/change/" in ADMIN_ROUTES


def unchanged(world: World) -> None:
    task = Task.objects.get(pk=world.task.pk)
    assert (task.status, task.version) == (world.task.status, world.task.version)
    assert Task.objects.filter(owner=world.task.owner).count() == 1
    assert not LogEntry.objects.filter(user=world.task.owner, content_type__model="task").exists()
