"""`manage.py runserver`: Django's development server, which also tells whose program asks."""

from __future__ import annotations

from typing import Any

from django.core.servers.basehttp import WSGIRequestHandler, WSGIServer
from whitenoise.runserver_nostatic.management.commands.runserver import Command as PlainCommand


class Handler(WSGIRequestHandler):
    def get_environ(self) -> dict[str, Any]:
        # Under gunicorn's name: by it local mode looks up the account at the other end (tasks/access.py).
        return {**super().get_environ(), "gunicorn.socket": self.connection}


class Server(WSGIServer):
    def finish_request(self, request: Any, client_address: Any) -> None:
        Handler(request, client_address, self)


class Command(PlainCommand):
    server_cls = Server
