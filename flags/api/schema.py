"""What each endpoint takes and answers, for the schema."""

from typing import Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema

from flags.api import shapes
from flags.importers import FORMATS
from flags.services.importing import MODES
from flags.usage.reading import ASPECTS, SPANS
from portal.lib.api_schema import WAITS, WITH_BODY, answers, query

_FLAGS: Final = ["flags"]
_IN_ONE_ENVIRONMENT: Final = ["one environment"]
_IF_MATCH = "The ETag that was read; without it whatever is there now is changed."


def _header(text: str, *, required: bool) -> OpenApiParameter:
    return OpenApiParameter("If-Match", str, "header", required=required, description=text)


list_flags = extend_schema(
    operation_id="list_flags",
    tags=_FLAGS,
    parameters=[
        query("search", "In key, name, description and owner."),
        query("archived", "The archived flags instead of the others.", bool),
        query("cursor", "The `next` of the page before."),
    ],
    responses=answers(200, shapes.FlagPage),
)
create_flag = extend_schema(
    operation_id="create_flag",
    tags=_FLAGS,
    request=shapes.NewFlag,
    responses=answers(201, shapes.Flag, *WITH_BODY),
)
read_flag = extend_schema(
    operation_id="read_flag", tags=_FLAGS, responses=answers(200, shapes.Flag)
)
edit_flag = extend_schema(
    operation_id="edit_flag",
    tags=_FLAGS,
    parameters=[_header(_IF_MATCH, required=False)],
    request={
        "application/json": shapes.FlagPatch,
        "application/merge-patch+json": shapes.FlagPatch,
    },
    responses=answers(200, shapes.Flag, 409, *WITH_BODY),
)
archive_flag = extend_schema(
    operation_id="archive_flag",
    tags=_FLAGS,
    parameters=[query("force", "Archive it although it is still asked for.", bool)],
    responses=answers(
        204,
        None,
        special={
            409: (WAITS[0], "It was asked for within the last hour; send `force`. " + WAITS[1])
        },
    ),
)
read_configuration = extend_schema(
    operation_id="read_configuration",
    tags=_IN_ONE_ENVIRONMENT,
    responses=answers(200, shapes.Configuration),
)
save_configuration = extend_schema(
    operation_id="save_configuration",
    tags=_IN_ONE_ENVIRONMENT,
    parameters=[_header("The ETag that was read.", required=True)],
    request=shapes.Configuration,
    responses=answers(200, shapes.Configuration, 409, 428, *WITH_BODY),
)
read_usage = extend_schema(
    operation_id="read_usage",
    tags=_IN_ONE_ENVIRONMENT,
    parameters=[
        query("period", "How far back; a day unless told.", enum=list(SPANS)),
        query("by", "What is told apart; the variant unless told.", enum=list(ASPECTS)),
    ],
    responses=answers(200, shapes.Usage),
)
list_unknown_flags = extend_schema(
    operation_id="list_unknown_flags",
    tags=_IN_ONE_ENVIRONMENT,
    parameters=[query("ignored", "Those that people ignore, instead of the others.", bool)],
    responses=answers(200, shapes.UnknownFlags),
)
import_flags = extend_schema(
    operation_id="import_flags",
    tags=_IN_ONE_ENVIRONMENT,
    parameters=[
        query(
            "format",
            "What the file is.",
            required=True,
            enum=[name for name, reader in FORMATS.items() if reader],
        ),
        query("mode", "What becomes of the flags that the file does not have.", enum=MODES),
        query("dry_run", "Report only, change nothing.", bool),
    ],
    request={"application/json": OpenApiTypes.OBJECT},
    responses=answers(200, shapes.ImportReport, *WITH_BODY, special={409: WAITS}),
)
