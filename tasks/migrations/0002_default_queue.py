"""The queue that everything goes to when none is named."""

from django.db import migrations


def open_default_queue(apps, schema_editor):
    apps.get_model("tasks", "Queue").objects.get_or_create(name="default")


class Migration(migrations.Migration):
    dependencies = [("tasks", "0001_initial")]

    operations = [migrations.RunPython(open_default_queue, migrations.RunPython.noop)]
