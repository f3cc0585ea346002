"""Serves what asks who did something to one task: the admin's search in the audit, and a row's history."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("admin", "0003_logentry_add_action_flag_choices")]

    operations = [
        migrations.RunSQL(
            "CREATE INDEX audit_by_object ON django_admin_log (object_id)",
            "DROP INDEX audit_by_object",
        ),
    ]
