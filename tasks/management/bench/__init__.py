"""What `manage.py bench` measures with: TaskHub's own queue, and django-q2's beside it."""
