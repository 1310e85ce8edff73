"""What an endpoint takes and answers, said once where it stands: for the schema, and for the view
that refuses parameters which it does not have."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from portal.lib.api.pagination import MOST, USUAL
from portal.lib.api.shapes import OBJECT, TEXT, WHOLE, Page, Shape
from portal.lib.problems import PROBLEM

Handler = TypeVar("Handler", bound=Callable[..., Any])
Refusal: TypeAlias = tuple[int, Shape, str]
"""A status that an endpoint may answer, with what, and when."""

FIELD_ERROR: Final = Shape(
    "FieldError",
    {
        "path": TEXT("The field, as in rules[0].when; empty for the whole."),
        "message": TEXT(),
    },
)
PLAIN: Final = Shape(
    "Problem",
    {"type": TEXT(), "title": TEXT(), "status": WHOLE(), "detail": TEXT()},
    "What went wrong, for programs (type, status) and people (detail).",
)
INVALID: Final = PLAIN.but("InvalidProblem", PLAIN.text, errors=FIELD_ERROR.many(optional=True))
CHANGE_REQUEST: Final = Shape(
    "Waits",
    {
        "id": WHOLE(),
        "address": TEXT("The page where people approve it."),
        "digest": TEXT("Of its content; evidence is bound to it."),
    },
    "The change request that a change waits as.",
)
WAITING: Final = PLAIN.but(
    "WaitingProblem",
    PLAIN.text,
    change_request=CHANGE_REQUEST.one("Where it waits for approval.", optional=True),
)
CONFLICTING: Final = WAITING.but(
    "ConflictProblem",
    PLAIN.text,
    current=OBJECT("What is stored now.", optional=True),
    yours=OBJECT("What you sent.", optional=True),
)

WAITS: Final[Refusal] = (
    409,
    WAITING,
    "Nothing was changed: it waits for approval, or could not be carried out as it is now. "
    "`change_request` says where it waits.",
)
CONFLICT: Final[Refusal] = (
    409,
    CONFLICTING,
    "Changed meanwhile: what is there now, and what you sent. Or it waits for approval: "
    "`change_request` says where, and nothing was changed.",
)
NO_MATCH: Final[Refusal] = (428, PLAIN, "If-Match is missing.")
_ALWAYS: Final[list[Refusal]] = [
    (400, INVALID, "Malformed, or not valid: each field that is wrong, and why."),
    (401, PLAIN, "No key, or one that is unknown, revoked or expired."),
    (403, PLAIN, "Not an admin key, or one of another environment."),
    (404, PLAIN, "There is no such thing in the key's project."),
]
_WITH_BODY: Final[list[Refusal]] = [
    (413, PLAIN, "The body is too large."),
    (415, PLAIN, "The body is not JSON in UTF-8."),
]


def query(name: str, text: str, kind: Any = str, **options: Any) -> OpenApiParameter:
    """A parameter of an address."""
    return OpenApiParameter(name, kind, "query", description=text, **options)


def if_match(text: str, *, required: bool = False) -> OpenApiParameter:
    """The header that names what was read; writes say ``text`` of it."""
    return OpenApiParameter("If-Match", str, "header", required=required, description=text)


IF_MATCH: Final = if_match("The ETag that was read.", required=True)
MAY_MATCH: Final = if_match("The ETag that was read; without it whatever is there now is changed.")
_PAGING: Final = [
    query("cursor", "The `next` of the page before."),
    query(
        "limit",
        "How many at most.",
        {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL},
    ),
]


def operation(
    name: str,
    tag: str,
    answer: Any = None,
    *refusals: Refusal,
    status: int = 0,
    body: Any = None,
    parameters: Sequence[OpenApiParameter] = (),
) -> Callable[[Handler], Handler]:
    """Describes a handler: its answer, what it refuses beside the usual, its body and parameters.

    Without a status it is 200, or 204 where nothing is answered. Pages take `cursor` and `limit`.
    """
    asked = [*parameters, *(_PAGING if isinstance(answer, Page) else ())]
    responses: dict[Any, Any] = {(status or 200, "application/json"): answer}
    if answer is None:
        responses = {status or 204: None}
    for code, shape, text in (*_ALWAYS, *(_WITH_BODY if body else ()), *refusals):
        responses[code, PROBLEM] = OpenApiResponse(shape, text)
    describe = extend_schema(
        operation_id=name, tags=[tag], parameters=asked, request=body, responses=responses
    )

    def described(handler: Handler) -> Handler:
        names = frozenset(one.name for one in asked if one.location == "query")
        handler.parameters = names  # type: ignore[attr-defined]  # for the view
        return describe(handler)

    return described
