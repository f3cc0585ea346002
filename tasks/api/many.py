"""Many tasks in one request: submit up to ten thousand, cancel, retry or delete all that match."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks import bulk, lifecycle
from tasks.api import examples
from tasks.api.documented import documented
from tasks.api.parsers import JSONParser
from tasks.api.serializers import ActSerializer, OutcomeSerializer, SubmitSerializer, SubmittedSerializer
from tasks.api.tasks import chosen_tasks, person
from tasks.lifecycle import Submission
from tasks.models import Task
from tasks.patience import PATIENCE_OF_PROGRAMS, patience

# One for all: to make its fields anew for each task would take longer than all else.
CHECKING = SubmitSerializer()


class LargeJSONParser(JSONParser):
    max_bytes = 64 * 1024 * 1024


class SubmitManyView(APIView):
    """Submit many tasks, all of them or none."""

    parser_classes = [LargeJSONParser]

    @documented(
        (201, SubmittedSerializer),
        refused=[400, 413, 422],
        request=SubmitSerializer(many=True),
        operation_id="submitTasks",
        tags=["many tasks"],
        examples=examples.SUBMIT_MANY,
        refusals=examples.WRONG_SUBMITS,
    )
    def post(self, request: Request) -> Response:
        submissions = submissions_of(request.data)
        try:
            tasks = lifecycle.submit_many(submissions, by=person(request))
        except ValidationError as error:
            # Of a single one the lifecycle tells the faults without a position.
            raise error if len(submissions) > 1 else ValidationError({"0": error.detail}) from None
        return Response({"count": len(tasks), "ids": [str(task.pk) for task in tasks]}, status=201)


def submissions_of(body: Any) -> list[Submission]:
    """Raises ValidationError; the faults stand under the position of the task they are in."""
    if not isinstance(body, list) or not 1 <= len(body) <= bulk.LIMIT:
        raise ValidationError([_("A list of 1 to %(limit)s tasks is needed.") % {"limit": bulk.LIMIT}])
    submissions, errors = [], {}
    for position, one in enumerate(body):
        try:
            submissions.append(submission_of(one))
        except ValidationError as error:
            errors[str(position)] = error.detail
    if errors:
        raise ValidationError(errors)
    return submissions


def submission_of(one: Any) -> Submission:
    # Most have no more than these two: to check them by the serializer would take a third of the rate.
    if isinstance(one, dict) and one.keys() <= {"task_type", "parameters"}:
        task_type, parameters = one.get("task_type"), one.get("parameters")
        if isinstance(task_type, str) and (parameters is None or isinstance(parameters, dict)):
            return Submission(task_type, parameters)
    return Submission(**CHECKING.run_validation(one))


class ActView(APIView):
    """Cancel, retry or delete many tasks: those named, or all that match a filter.

    Those whose state does not allow it are passed over and counted.
    """

    @documented(
        (200, OutcomeSerializer),
        refused=[400, 413, 422],
        request=ActSerializer,
        operation_id="actOnTasks",
        tags=["many tasks"],
        examples=examples.ACT,
        refusals=examples.WRONG_ACT,
    )
    def post(self, request: Request) -> Response:
        wanted = ActSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        with patience(PATIENCE_OF_PROGRAMS):
            tasks = acted_on(request, wanted.validated_data)
            count = tasks[: bulk.LIMIT + 1].count()
        if count > bulk.LIMIT:
            raise ValidationError(
                {"filter": [_("More than %(limit)s tasks match: narrow the filter.") % {"limit": bulk.LIMIT}]}
            )
        outcome = bulk.act(wanted.validated_data["action"], tasks, person(request))
        return Response(outcome._asdict())


def acted_on(request: Request, wanted: dict[str, Any]) -> QuerySet[Task]:
    own = Task.objects.manageable_by(request.user)
    if "ids" in wanted:
        return own.filter(pk__in=wanted["ids"])
    matching = chosen_tasks(request, wanted["filter"], Task.objects.visible_to(request.user)).qs
    return own.filter(pk__in=matching.order_by().values("pk"))
