"""The task type HTTP_REQUEST; `task` has the handler, the other modules its steps."""

from tasks.handlers.http_request.task import http_request

__all__ = ["http_request"]
