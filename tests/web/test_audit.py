"""Staff can read who did what."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry

from tasks import lifecycle

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("login_mode")]


def test_each_act_on_a_task_has_its_line_with_the_person(staff_browser, owner):
    task = lifecycle.submit("NOOP", by=owner, name="photos")
    lifecycle.cancel(task, by=owner)
    page = staff_browser.get("/audit/").content.decode()
    assert page.index("Cancelled") < page.index("Submitted")
    assert "photos" in page
    assert "owner" in page


def test_the_audit_is_for_staff(owners_browser):
    assert owners_browser.get("/audit/").status_code == 403


def test_the_audit_is_filtered_by_person_and_task(staff_browser, owner, stranger):
    task = lifecycle.submit("NOOP", by=owner, name="photos")
    lifecycle.submit("NOOP", by=stranger, name="sales")
    for query in ("who=owner", f"about={task.pk}"):
        page = staff_browser.get(f"/audit/?{query}").content.decode()
        assert "photos" in page
        assert "sales" not in page


def test_the_audit_pages_to_its_end(staff_browser, owner):
    for number in range(60):
        lifecycle.submit("NOOP", by=owner, name=f"task-{number}-")
    page = staff_browser.get("/audit/").content.decode()
    assert "task-59-" in page
    assert "task-5-" not in page
    last = LogEntry.objects.order_by("-id")[49].pk
    assert f"before={last}" in page
    assert "task-5-" in staff_browser.get(f"/audit/?before={last}").content.decode()
