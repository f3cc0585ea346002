"""The admin as TaskHub has it: its own name, the hub's sign-in page, nothing of django-q2."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy


class HubAdminSite(AdminSite):
    site_header = site_title = gettext_lazy("TaskHub admin")
    index_title = gettext_lazy("Behind the pages")
    index_template = "admin/hub_index.html"

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Leave out django-q2: its Schedule takes any function by its name, and whoever may edit one runs anything."""
        models: list[Any] = [model_or_iterable] if isinstance(model_or_iterable, type) else list(model_or_iterable)
        ours = [model for model in models if model._meta.app_label != "django_q"]
        super().register(ours, admin_class, **options)

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Who comes here has signed in (tasks/access.py) and is not on the staff."""
        raise PermissionDenied(_("The admin is for staff."))


class HubAdminConfig(AdminConfig):
    default_site = "tasks.adminsite.HubAdminSite"
