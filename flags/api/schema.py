"""What each endpoint takes and answers, for the schema."""

from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from flags.api import shapes
from flags.importers import FORMATS
from flags.services.importing import MODES
from portal.lib.api import PROBLEM

_PROBLEMS: Final[dict[int, tuple[type[shapes.Problem], str]]] = {
    400: (shapes.InvalidProblem, "Malformed, or not valid: each field that is wrong, and why."),
    401: (shapes.Problem, "No key, or one that is unknown, revoked or expired."),
    403: (shapes.Problem, "Not an admin key, or one of another environment."),
    404: (shapes.Problem, "There is no such thing in the key's project."),
    409: (shapes.ConflictProblem, "Changed meanwhile: what is there now, and what you sent."),
    413: (shapes.Problem, "The body is too large."),
    415: (shapes.Problem, "The body is not JSON in UTF-8."),
    428: (shapes.Problem, "If-Match is missing."),
}
_ALWAYS: Final = (400, 401, 403, 404)
_WITH_BODY: Final = (413, 415)

_FLAGS: Final = ["flags"]
_IN_ONE_ENVIRONMENT: Final = ["one environment"]
_IF_MATCH = "The ETag that was read; without it whatever is there now is changed."


def _header(text: str, *, required: bool) -> OpenApiParameter:
    return OpenApiParameter("If-Match", str, "header", required=required, description=text)


def _query(name: str, text: str, kind: Any = str, **options: Any) -> OpenApiParameter:
    return OpenApiParameter(name, kind, "query", description=text, **options)


def _answers(status: int, shape: Any, *others: int) -> dict[Any, Any]:
    problems = {
        (code, PROBLEM): OpenApiResponse(_PROBLEMS[code][0], _PROBLEMS[code][1])
        for code in sorted({*_ALWAYS, *others})
    }
    key: Any = (status, "application/json") if shape else status
    return {key: shape, **problems}


list_flags = extend_schema(
    operation_id="list_flags",
    tags=_FLAGS,
    parameters=[
        _query("search", "In key, name, description and owner."),
        _query("archived", "The archived flags instead of the others.", bool),
        _query("cursor", "The `next` of the page before."),
    ],
    responses=_answers(200, shapes.FlagPage),
)
create_flag = extend_schema(
    operation_id="create_flag",
    tags=_FLAGS,
    request=shapes.NewFlag,
    responses=_answers(201, shapes.Flag, *_WITH_BODY),
)
read_flag = extend_schema(
    operation_id="read_flag", tags=_FLAGS, responses=_answers(200, shapes.Flag)
)
edit_flag = extend_schema(
    operation_id="edit_flag",
    tags=_FLAGS,
    parameters=[_header(_IF_MATCH, required=False)],
    request={
        "application/json": shapes.FlagPatch,
        "application/merge-patch+json": shapes.FlagPatch,
    },
    responses=_answers(200, shapes.Flag, 409, *_WITH_BODY),
)
archive_flag = extend_schema(
    operation_id="archive_flag", tags=_FLAGS, responses=_answers(204, None)
)
read_configuration = extend_schema(
    operation_id="read_configuration",
    tags=_IN_ONE_ENVIRONMENT,
    responses=_answers(200, shapes.Configuration),
)
save_configuration = extend_schema(
    operation_id="save_configuration",
    tags=_IN_ONE_ENVIRONMENT,
    parameters=[_header("The ETag that was read.", required=True)],
    request=shapes.Configuration,
    responses=_answers(200, shapes.Configuration, 409, 428, *_WITH_BODY),
)
import_flags = extend_schema(
    operation_id="import_flags",
    tags=_IN_ONE_ENVIRONMENT,
    parameters=[
        _query(
            "format",
            "What the file is.",
            required=True,
            enum=[name for name, reader in FORMATS.items() if reader],
        ),
        _query("mode", "What becomes of the flags that the file does not have.", enum=MODES),
        _query("dry_run", "Report only, change nothing.", bool),
    ],
    request={"application/json": OpenApiTypes.OBJECT},
    responses=_answers(200, shapes.ImportReport, *_WITH_BODY),
)
