from collections.abc import Callable, Collection, Sequence
from typing import Any, ClassVar, Final, TypeAlias, TypeVar

from django.http import HttpRequest
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.lib.api import idempotency, published
from portal.lib.api.endpoints import MOST, USUAL, tagged
from portal.lib.api.idempotency import HEADER, MAX_CHARS, REPLAYED
from portal.lib.api.parsers import JSONOnly, MergePatchParser
from portal.lib.api.problems import LengthRequired
from portal.lib.api.shapes import OBJECT, TEXT, WHOLE, PageShape, Shape
from portal.lib.errors import PROBLEM, Invalid

READS = ("GET", "HEAD")


class ApiView(APIView):
    """An endpoint of the management API; answers 404 for whatever is not of the key's project.

    Every read carries an ETag and answers 304 to who has it; every write may carry an
    Idempotency-Key and is then done once.
    """

    content_negotiation_class = JSONOnly
    # Whether Idempotency-Key keeps the answer; not where nothing is written, and an answer says
    # of somebody what nobody should keep.
    keeps_answers: ClassVar[bool] = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        """As DRF's, with the handler run once where the request says so."""
        published.start()
        self.args, self.kwargs = args, kwargs
        asked = self.initialize_request(request, *args, **kwargs)
        self.request = asked
        self.headers = self.default_response_headers
        try:
            self.initial(asked, *args, **kwargs)
            response = (
                idempotency.respond(asked, lambda: self._respond(asked))
                if self.keeps_answers
                else self._respond(asked)
            )
        except Exception as error:
            response = self.handle_exception(error)
        self.response = self.finalize_response(asked, response, *args, **kwargs)
        return self.response

    def get_parsers(self) -> list[BaseParser]:
        """Merge patches are taken where something can be patched."""
        patches = [MergePatchParser()] if hasattr(self, "patch") else []
        return [*super().get_parsers(), *patches]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Who is let in is told what of the request cannot be read."""
        super().initial(request, *args, **kwargs)
        method = str(request.method)
        name = method.lower()
        handler = getattr(self, name, None) if name in self.http_method_names else None
        if handler is None:
            raise MethodNotAllowed(method)
        _refuse_unknown(request, getattr(handler, "parameters", ()))
        if _is_chunked(request):
            raise LengthRequired
        if method == "PUT":
            published.ignore_in(request.data)

    def finalize_response(
        self, request: HttpRequest | Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        """With its ETag; without a body for who has it already."""
        final: Response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[arg-type]
        if request.method in READS and isinstance(final, Response):
            return tagged(request, final)
        published.add_to(final)
        return final

    def _respond(self, request: Request) -> Response:
        """What the endpoint answers, problems included; faults of ours are raised."""
        try:
            handler = getattr(self, str(request.method).lower())
            return handler(request, *self.args, **self.kwargs)  # type: ignore[no-any-return]
        except Exception as error:
            return self.handle_exception(error)


def _refuse_unknown(request: Request, known: Collection[str]) -> None:
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        text = _("There is no such parameter.")
        raise Invalid({name[:100].replace("\0", ""): text for name in unknown})


def _is_chunked(request: Request) -> bool:
    """A body whose length is not said would be taken for none at all."""
    chunked = bool(request.META.get("HTTP_TRANSFER_ENCODING"))
    return chunked and not request.META.get("CONTENT_LENGTH")


# What an endpoint takes and answers, said once where it stands: for the schema, and for the view
# that refuses parameters which it does not have.


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
    (503, PLAIN, "The database is busy or away. Nothing was saved."),
]
_OF_WRITES: Final[list[Refusal]] = [
    (409, PLAIN, f"The request with this {HEADER} is still running."),
    (422, PLAIN, f"This {HEADER} was used for another request."),
]
_WITH_BODY: Final[list[Refusal]] = [
    (411, PLAIN, "The body comes in parts without Content-Length."),
    (413, PLAIN, "The body is too large."),
    (415, PLAIN, "The body is not JSON in UTF-8."),
]
_GOOD: Final = {200: "As it is now.", 201: "It is there.", 204: "It is done."}


def query(name: str, text: str, kind: Any = str, **options: Any) -> OpenApiParameter:
    return OpenApiParameter(name, kind, "query", description=text, **options)


def header(name: str, text: str, kind: Any = str, **options: Any) -> OpenApiParameter:
    """A header of requests, or, where ``response`` is given, of answers of those statuses."""
    return OpenApiParameter(name, kind, "header", description=text, **options)


IF_MATCH: Final = header("If-Match", "The ETag that was read.", required=True)
MAY_MATCH: Final = header(
    "If-Match", "The ETag that was read; without it whatever is there now is changed."
)
_PAGING: Final = [
    query("cursor", "The `next` of the page before."),
    query(
        "limit",
        "How many at most.",
        {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL},
    ),
    header("Link", 'The address of the next page, rel="next".', response=[200]),
]
_TRACE: Final = header("X-Request-ID", "The request's id, also kept in the history.", response=True)
_HEADERS_OF_READS: Final = [
    header(
        "If-None-Match", "The ETag of what you have; where that is still so, the answer is 304."
    ),
    header("ETag", "Names exactly this; for If-Match and 304.", response=[200, 304]),
    _TRACE,
]
_HEADERS_OF_WRITES: Final = [
    header(
        HEADER,
        "A name of your own for this request, such as a UUID. Who sends the same again within 24 "
        "hours gets the answer of the first time, and nothing is done twice.",
        {"type": "string", "pattern": "^[!-~]+$", "maxLength": MAX_CHARS},
    ),
    header(
        REPLAYED,
        "There where the answer is that of the first time.",
        {"type": "string", "enum": ["true"]},
        response=list(range(200, 500)),
    ),
    _TRACE,
]


def _answers(answer: Any, good: int, stream: str, csv: str, *, is_read: bool) -> dict[Any, Any]:
    found: dict[Any, Any] = {(good, "application/json"): OpenApiResponse(answer, _GOOD[good])}
    if csv:
        found[200, "text/csv"] = OpenApiResponse(str, csv)
    if stream:
        found[200, "text/event-stream"] = OpenApiResponse(str, stream)
        found[204, ""] = OpenApiResponse(None, "Of a stream: nothing more will come.")
    if is_read:
        found[304, ""] = OpenApiResponse(None, "You have it already.")
    return found


def operation(
    name: str,
    tag: str,
    answer: Any = None,
    *refusals: Refusal,
    status: int = 0,
    body: Any = None,
    parameters: Sequence[OpenApiParameter] = (),
    stream: str = "",
    csv: str = "",
) -> Callable[[Handler], Handler]:
    """Describes a handler: its answer, what it refuses beside the usual, its body and parameters.

    Without a status it is 200, or 204 where nothing is answered. Pages take `cursor` and `limit`.
    ``stream`` says when the answer is an event stream instead, and of what; ``csv`` when a file.
    """
    asked = [*parameters, *(_PAGING if isinstance(answer, PageShape) else ())]

    def described(handler: Handler) -> Handler:
        is_read = handler.__name__ == "get"
        usual = [] if is_read else [*_OF_WRITES, *(_WITH_BODY if body else ())]
        good = status or (200 if answer else 204)
        responses = _answers(answer, good, stream, csv, is_read=is_read)
        for code, shape, text in (*_ALWAYS, *usual, *refusals):
            responses[code, PROBLEM] = OpenApiResponse(shape, text)
        describe = extend_schema(
            operation_id=name,
            tags=[tag],
            parameters=[*asked, *(_HEADERS_OF_READS if is_read else _HEADERS_OF_WRITES)],
            request=body,
            responses=dict(sorted(responses.items())),
        )
        names = frozenset(one.name for one in asked if one.location == "query")
        handler.parameters = names  # type: ignore[attr-defined]  # for the view
        return describe(handler)

    return described
