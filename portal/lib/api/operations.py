"""What the endpoints of the management API have in common in its schema."""

from collections.abc import Mapping
from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from portal.lib.api.pagination import MOST, USUAL
from portal.lib.problems import PROBLEM


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


class Waits(serializers.Serializer[object]):
    """The change request that a change waits as."""

    id = serializers.IntegerField()
    address = serializers.CharField(help_text="The page where people approve it.")
    digest = serializers.CharField(help_text="Of its content; evidence is bound to it.")


class WaitingProblem(Problem):
    change_request = Waits(required=False, help_text="Where it waits for approval.")


class ConflictProblem(WaitingProblem):
    current = serializers.DictField(required=False, help_text="What is stored now.")
    yours = serializers.DictField(required=False, help_text="What you sent.")


WAITS: Final = (
    WaitingProblem,
    "Nothing was changed: it waits for approval, or could not be carried out as it is now. "
    "`change_request` says where it waits.",
)
_PROBLEMS: Final[dict[int, tuple[type[Problem], str]]] = {
    400: (InvalidProblem, "Malformed, or not valid: each field that is wrong, and why."),
    401: (Problem, "No key, or one that is unknown, revoked or expired."),
    403: (Problem, "Not an admin key, or one of another environment."),
    404: (Problem, "There is no such thing in the key's project."),
    409: (
        ConflictProblem,
        "Changed meanwhile: what is there now, and what you sent. Or it waits for approval: "
        "`change_request` says where, and nothing was changed.",
    ),
    413: (Problem, "The body is too large."),
    415: (Problem, "The body is not JSON in UTF-8."),
    428: (Problem, "If-Match is missing."),
}
_ALWAYS: Final = (400, 401, 403, 404)
WITH_BODY: Final = (413, 415)


def query(name: str, text: str, kind: Any = str, **options: Any) -> OpenApiParameter:
    """A parameter of an address."""
    return OpenApiParameter(name, kind, "query", description=text, **options)


def if_match(text: str, *, required: bool = False) -> OpenApiParameter:
    """The header that names what was read; writes say ``text`` of it."""
    return OpenApiParameter("If-Match", str, "header", required=required, description=text)


IF_MATCH: Final = if_match("The ETag that was read.", required=True)
PAGING: Final = [
    query("cursor", "The `next` of the page before."),
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL},
        "query",
        description="How many at most.",
    ),
]


def answers(
    status: int,
    shape: Any,
    *others: int,
    special: Mapping[int, tuple[type[Problem], str]] | None = None,
) -> dict[Any, Any]:
    """The answer of an endpoint, and the problems that it may answer; ``special`` are its own."""
    known = {**_PROBLEMS, **(special or {})}
    problems = {
        (code, PROBLEM): OpenApiResponse(*known[code])
        for code in sorted({*_ALWAYS, *others, *(special or {})})
    }
    key: Any = (status, "application/json") if shape else status
    return {key: shape, **problems}
