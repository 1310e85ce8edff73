"""What each endpoint takes and answers, for the schema."""

from typing import Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema

from flags.api import shapes
from flags.importers import BUCKETINGS, FORMATS
from flags.services.importing import MODES
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
    operation_id="archive_flag", tags=_FLAGS, responses=answers(204, None, special={409: WAITS})
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
        query(
            "bucketing",
            "The generation of flagd whose users keep their variants.",
            enum=BUCKETINGS,
        ),
    ],
    request={"application/json": OpenApiTypes.OBJECT},
    responses=answers(200, shapes.ImportReport, *WITH_BODY, special={409: WAITS}),
)
