"""HTTP_REQUEST: calls a URL, checks the status of its answer, and keeps the answer as a file."""

from __future__ import annotations

import json
import mimetypes
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from tasks.context import Fail, TaskContext
from tasks.handlers.http_request.address import Refused
from tasks.handlers.http_request.exchange import Answer, NoAnswer, Request, ask
from tasks.handlers.http_request.parameters import Parameters
from tasks.masking import masked
from tasks.registry import task_type

BUSY = {429, 502, 503, 504}  # worth another attempt
LONGEST_PAUSE = 60.0
SHOWN = 500  # letters of an unexpected answer that the log quotes


class Result(serializers.Serializer[Any]):
    url = serializers.URLField(help_text=gettext_lazy("The last one, after redirects."))
    method = serializers.CharField()
    status = serializers.IntegerField()
    reason = serializers.CharField()
    headers = serializers.DictField(child=serializers.CharField(), help_text=gettext_lazy("Secrets are masked."))
    size = serializers.IntegerField(help_text=gettext_lazy("Bytes."))
    seconds = serializers.FloatField()
    attempts = serializers.IntegerField()
    address = serializers.CharField()
    redirects = serializers.ListField(child=serializers.URLField())
    file = serializers.UUIDField(allow_null=True, help_text=gettext_lazy("The answer's body; null where it is empty."))
    file_name = serializers.CharField(allow_null=True)


def timeout_for(parameters: Mapping[str, Any]) -> float:
    return parameters["attempts"] * (parameters["time_limit"] + LONGEST_PAUSE) + 30


def name_for(parameters: Mapping[str, Any]) -> str:
    parts = urlsplit(parameters["url"])
    return f"{parameters['method']} {parts.hostname}{parts.path}"


def summarize(result: Mapping[str, Any]) -> str:
    size = filesizeformat(result["size"]).replace("\xa0", " ")
    return f"{result['status']} {result['reason']}, {size}"


@task_type(
    "HTTP_REQUEST",
    label=gettext_lazy("HTTP request"),
    parameters=Parameters,
    result=Result,
    icon="web",
    timeout=timeout_for,
    make_name=name_for,
    summarize=summarize,
    sample=lambda: {"url": "https://example.org/", "expected_status": [200]},
    result_template="tasks/results/http_request.html",
    description=gettext_lazy("Call a URL, check its status, keep the answer as a file."),
)
def http_request(
    context: TaskContext, *, attempts: int, expected_status: list[int], **parameters: Any
) -> dict[str, Any]:
    request = request_of(parameters)
    with context.temporary_folder() as folder:
        attempt = Attempts(context, request, folder / "body", attempts)
        answer = attempt.until_answered()
        if not is_expected(answer.status, expected_status):
            quote(context, answer)
            raise Fail(unexpected(answer, expected_status), retry=answer.status in BUSY)
        return result_of(context, request, answer, attempt)


def request_of(parameters: Mapping[str, Any]) -> Request:
    headers, text = dict(parameters["headers"]), parameters["body"]
    if text and "content-type" not in {name.lower() for name in headers}:
        headers["Content-Type"] = "application/json" if _is_json(text) else "text/plain; charset=utf-8"
    return Request(
        parameters["method"],
        parameters["url"],
        headers,
        text.encode() if text else None,
        parameters["time_limit"],
        parameters["max_bytes"],
        parameters["follow_redirects"],
    )


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@dataclass
class Attempts:
    """Asks until there is an answer to go on with, or the attempts are used up."""

    context: TaskContext
    request: Request
    path: Path
    most: int
    made: int = 0
    seconds: float = 0.0

    def until_answered(self) -> Answer:
        while True:
            self.made += 1
            self.context.progress(100 * (self.made - 1) / self.most, self._message)
            answer, problem = self._once()
            if answer and (answer.status not in BUSY or self.made == self.most):
                return answer
            if self.made == self.most:
                raise Fail(problem, retry=True)
            pause = self._pause(answer)
            self.context.log(
                _("%(problem)s Next attempt in %(pause)d s.") % {"problem": problem, "pause": pause}, "warning"
            )
            time.sleep(pause)

    @property
    def _message(self) -> str:
        return _("Attempt %(number)d of %(most)d") % {"number": self.made, "most": self.most}

    def _once(self) -> tuple[Answer | None, str]:
        """The answer, or none and why."""
        started = time.monotonic()
        try:
            answer = ask(self.request, self.path)
        except Refused as error:
            raise Fail(str(error)) from error
        except NoAnswer as error:
            return None, str(error)
        self.seconds = round(time.monotonic() - started, 3)
        size = filesizeformat(answer.size)
        self.context.log(
            f"{self.request.method} {answer.url}: {answer.said}, {size}, {self.seconds} s ({answer.address})"
        )
        return answer, _("It answered %(said)s.") % {"said": answer.said}

    def _pause(self, answer: Answer | None) -> float:
        """Seconds: what the server asks for, else twice as long each time."""
        asked = answer.headers.get("Retry-After", "") if answer else ""
        return min(LONGEST_PAUSE, float(asked) if asked.isdecimal() else 2.0 ** (self.made - 1))


def is_expected(status: int, expected: list[int]) -> bool:
    return status in expected if expected else 200 <= status < 300


def quote(context: TaskContext, answer: Answer) -> None:
    """The beginning of an unexpected answer, for whoever has to find out why."""
    with answer.path.open("rb") as file:
        text = file.read(SHOWN).decode(errors="replace")
    if text.strip():
        context.log(text, "warning")


def unexpected(answer: Answer, expected: list[int]) -> str:
    wanted = ", ".join(map(str, expected)) or "200-299"
    return _("%(host)s answered %(said)s; expected was %(wanted)s.") % {
        "host": urlsplit(answer.url).hostname,
        "said": answer.said,
        "wanted": wanted,
    }


def result_of(context: TaskContext, request: Request, answer: Answer, attempt: Attempts) -> dict[str, Any]:
    name = file_name(answer)
    return {
        "url": masked(answer.url),
        "method": request.method,
        "status": answer.status,
        "reason": answer.reason,
        "headers": masked(dict(answer.headers)),
        "size": answer.size,
        "seconds": attempt.seconds,
        "attempts": attempt.made,
        "address": answer.address,
        "redirects": masked(answer.redirects),
        "file": str(context.save_file(name, answer.path)) if answer.size else None,
        "file_name": name if answer.size else None,
    }


def file_name(answer: Answer) -> str:
    """The last part of the URL's path where that has an ending, else "response" with the ending of its type."""
    name = PurePosixPath(unquote(urlsplit(answer.url).path)).name.replace("\\", "_")
    if name.isprintable() and PurePosixPath(name).suffix:
        return name[-120:]
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return f"response{mimetypes.guess_extension(kind) or '.bin'}"
