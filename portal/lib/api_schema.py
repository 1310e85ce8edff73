"""What every endpoint's description shares: parameters, and the problems that it may answer."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from portal.lib.api import PROBLEM


class FieldError(serializers.Serializer[object]):
    path = serializers.CharField(help_text="The field, as in rules[0].when; empty for the whole.")
    message = serializers.CharField()


class Problem(serializers.Serializer[object]):
    """What went wrong, for programs (type, status) and people (detail)."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()


class InvalidProblem(Problem):
    errors = FieldError(many=True, required=False)  # type: ignore[assignment]  # a field here


class ConflictProblem(Problem):
    current = serializers.DictField(help_text="What is stored now.")
    yours = serializers.DictField(help_text="What you sent.")


_PROBLEMS: Final[dict[int, tuple[type[Problem], str]]] = {
    400: (InvalidProblem, "Malformed, or not valid: each field that is wrong, and why."),
    401: (Problem, "No key, or one that is unknown, revoked or expired."),
    403: (Problem, "Not an admin key, or one of another environment."),
    404: (Problem, "There is no such thing in the key's project."),
    409: (ConflictProblem, "Changed meanwhile: what is there now, and what you sent."),
    413: (Problem, "The body is too large."),
    415: (Problem, "The body is not JSON in UTF-8."),
    428: (Problem, "If-Match is missing."),
}
_ALWAYS: Final = (400, 401, 403, 404)


def query(name: str, text: str, kind: Any = str, **options: Any) -> OpenApiParameter:
    """A parameter of the query."""
    return OpenApiParameter(name, kind, "query", description=text, **options)


def answers(status: int, shape: Any, *others: int) -> dict[Any, Any]:
    """What an endpoint answers, problems among it: those of every endpoint and the ``others``."""
    problems = {
        (code, PROBLEM): OpenApiResponse(_PROBLEMS[code][0], _PROBLEMS[code][1])
        for code in sorted({*_ALWAYS, *others})
    }
    key: Any = (status, "application/json") if shape else status
    return {key: shape, **problems}
