from django.db import migrations

# Once a statement, not once a row: a statement ends up to 200 tasks. It tells only while somebody listens, whom it
# knows by a lock (tasks/engine/ends.py), for a NOTIFY makes each commit wait for the one before it.
TELL = """
CREATE FUNCTION taskhub_tell_of_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_try_advisory_lock(7881697064) THEN
        PERFORM pg_advisory_unlock(7881697064);
    ELSE
        NOTIFY taskhub_ends;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER tell_of_ends AFTER UPDATE OF status OR DELETE ON tasks_task
FOR EACH STATEMENT EXECUTE FUNCTION taskhub_tell_of_ends();
"""

TELL_NO_MORE = """
DROP TRIGGER tell_of_ends ON tasks_task;
DROP FUNCTION taskhub_tell_of_ends();
"""


def forwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(TELL, params=None)


def backwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(TELL_NO_MORE, params=None)


class Migration(migrations.Migration):

    dependencies = [
        ('tasks', '0003_file_by_content'),
    ]

    operations = [
        migrations.RunPython(forwards, backwards),
    ]
