"""The examples of the OpenAPI document: bodies that are taken, answers, refusals."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample

from tasks.problems import MEDIA_TYPE, problem

FIRST, SECOND = "01a20c89-b811-7029-9a02-c3f0b804fa49", "01a20c89-b811-7029-9a02-c3f0b804fa4a"


def body(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value, request_only=True)


def answer(name: str, value: Any, *statuses: int) -> OpenApiExample:
    return OpenApiExample(name, value, response_only=True, status_codes=[str(status) for status in statuses])


def refusal(name: str, status: int, detail: str, errors: Any = None) -> OpenApiExample:
    shown = problem(status, detail, errors)
    return OpenApiExample(name, shown, response_only=True, status_codes=[str(status)], media_type=MEDIA_TYPE)


def wrong(field: str, sentence: str) -> OpenApiExample:
    """A refusal of one field, such as `parameters.x`."""
    errors: Any = [sentence]
    for name in reversed(field.split(".")):
        errors = {name: errors}
    return refusal("A wrong field", 422, f"{field}: {sentence}", errors)


SUBMIT = [
    body("Sample pictures", {"task_type": "IMAGE_PROCESSING", "parameters": {"num_images": 2}}),
    body(
        "Tonight, before others",
        {
            "task_type": "DATA_PROCESSING",
            "parameters": {"num_rows": 1000},
            "name": "Nightly figures",
            "priority": 10,
            "run_at": "2027-01-31T22:00:00Z",
            "max_attempts": 3,
        },
    ),
]
SUBMIT_MANY = [
    # drf-spectacular makes a list of it.
    body("A task in a list", {"task_type": "EMAIL_SIMULATION", "parameters": {"num_emails": 3}, "priority": 5}),
    answer("Two tasks", {"count": 2, "ids": [FIRST, SECOND]}, 201),
]
ACT = [
    body("Cancel what waits", {"action": "cancel", "filter": {"status": "PENDING", "task_type": "EMAIL_SIMULATION"}}),
    body("Retry two tasks", {"action": "retry", "ids": [FIRST, SECOND]}),
    answer("One of two", {"done": 1, "skipped": 1}, 200),
]
RETRY = [body("The whole task", {}), body("Only what failed", {"items": "failed"})]
NEW_TOKEN = [body("For ninety days", {"name": "laptop", "days": 90})]
TASK = answer(
    "A task that has just been submitted",
    {
        "id": FIRST,
        "task_type": "NOOP",
        "status": "PENDING",
        "created_at": "2026-11-24T07:51:21.873964Z",
        "started_at": None,
        "completed_at": None,
        "result_data": None,
        "error_message": None,
        "progress": 0.0,
        "progress_message": "",
        "name": "No operation",
        "parameters": {"x": 0},
        "queue": "default",
        "priority": 0,
        "run_at": "2026-11-24T07:51:21.873964Z",
        "waits_for": "",
        "attempts": 0,
        "max_attempts": 1,
        "losses": 0,
        "max_losses": 5,
        "timeout": 3600.0,
        "owner": "local",
        "retry_of": None,
        "stopping": False,
        "version": 0,
    },
    200,
    201,
)

NOT_JSON = refusal("Not JSON", 400, "This is not valid JSON: Expecting value: line 1 column 1 (char 0)")
# What an operation refuses in a way of its own names its own.
REFUSALS = {
    400: NOT_JSON,
    401: refusal("An unknown token", 401, "Invalid token."),
    403: refusal(
        "Not from this machine",
        403,
        "TaskHub is in local mode: it answers this machine alone. To let other machines in, set TASKHUB_ACCESS=login.",
    ),
    404: refusal("Nothing to be seen", 404, "There is no such task or file."),
    413: refusal("Too large", 413, "The request is too large."),
    422: wrong("limit", "A whole number is needed."),
    429: refusal("Too often", 429, "Request was throttled. Expected available in 20 seconds."),
    503: refusal("No database", 503, "The database cannot be reached. Try again in a moment."),
}
WRONG_SUBMIT = {422: wrong("parameters.num_images", "Ensure this value is greater than or equal to 1.")}
WRONG_SUBMITS = {422: wrong("1.task_type", "This field is required.")}
WRONG_ACT = {422: wrong("action", "This field is required.")}
WRONG_TOKEN = {422: wrong("name", "This field is required.")}
NOT_TO_CANCEL = {400: refusal("It has ended", 400, "Cannot cancel a task that is SUCCESS.")}
NOT_TO_RETRY = {
    400: refusal("It still runs", 400, "Cannot retry a task that is RUNNING."),
    422: wrong("items", '"x" is not a valid choice.'),
}
NOT_TO_DELETE = {400: refusal("It still runs", 400, "Cannot delete a task that is RUNNING.")}
