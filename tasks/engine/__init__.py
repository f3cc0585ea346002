"""The engine: how a task gets from PENDING to its end. Nothing else imports django-q2."""
