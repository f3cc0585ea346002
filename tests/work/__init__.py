"""Somebody else's app, named by TASKHUB_APPS: task types that do what handlers do at their worst."""
