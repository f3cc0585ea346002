"""Connects what happens to accounts with what is made of it."""

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "tasks.accounts"
    label = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        from tasks.accounts import audit, first_admin

        post_migrate.connect(first_admin.make_first_admin, sender=self)
        user_logged_in.connect(audit.signed_in, dispatch_uid="audit")
        user_logged_out.connect(audit.signed_out, dispatch_uid="audit")
