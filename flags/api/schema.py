"""What each endpoint takes and answers, for the schema."""

from typing import Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema

from flags.api import shapes
from flags.engine import Kind
from flags.exports import FORMATS as EXPORT_FORMATS
from flags.importers import BUCKETINGS, FORMATS
from flags.services.importing import MODES
from flags.usage.reading import ASPECTS, SPANS
from portal.lib.api.operations import IF_MATCH, PAGING, WAITS, WITH_BODY, answers, if_match, query

_FLAGS: Final = ["flags"]
_IN_ONE_ENVIRONMENT: Final = ["one environment"]
_MAY_MATCH: Final = "The ETag that was read; without it whatever is there now is changed."
_ALL_BUT_OFF: Final = 'The ETag that was read; `{"enabled": false}` alone needs none.'


list_flags = extend_schema(
    operation_id="list_flags",
    tags=_FLAGS,
    parameters=[
        query("search", "In key, name, description and owner."),
        query("archived", "The archived flags instead of the others.", bool),
        query("kind", "Only flags of this kind.", enum=[one.value for one in Kind]),
        query("tag", "Only flags with this tag."),
        *PAGING,
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
    parameters=[if_match(_MAY_MATCH)],
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
restore_flag = extend_schema(
    operation_id="restore_flag",
    tags=_FLAGS,
    request=None,
    responses=answers(200, shapes.Flag, special={409: WAITS}),
)
list_configurations = extend_schema(
    operation_id="list_configurations",
    tags=_IN_ONE_ENVIRONMENT,
    parameters=PAGING,
    responses=answers(200, shapes.ConfigurationPage),
)
edit_configuration = extend_schema(
    operation_id="edit_configuration",
    tags=_IN_ONE_ENVIRONMENT,
    parameters=[if_match(_ALL_BUT_OFF)],
    request={
        "application/json": shapes.ConfigurationPatch,
        "application/merge-patch+json": shapes.ConfigurationPatch,
    },
    responses=answers(200, shapes.Configuration, 409, 428, *WITH_BODY),
)
read_configuration = extend_schema(
    operation_id="read_configuration",
    tags=_IN_ONE_ENVIRONMENT,
    responses=answers(200, shapes.Configuration),
)
save_configuration = extend_schema(
    operation_id="save_configuration",
    tags=_IN_ONE_ENVIRONMENT,
    parameters=[IF_MATCH],
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
    parameters=[
        query("ignored", "Those that people ignore, instead of the others.", bool),
        *PAGING,
    ],
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
        query(
            "bucketing",
            "The generation of flagd whose users keep their variants.",
            enum=BUCKETINGS,
        ),
    ],
    request={"application/json": OpenApiTypes.OBJECT},
    responses=answers(200, shapes.ImportReport, *WITH_BODY, special={409: WAITS}),
)
export_project = extend_schema(
    operation_id="export_project", tags=_FLAGS, responses=answers(200, OpenApiTypes.OBJECT)
)
export_environment = extend_schema(
    operation_id="export_environment",
    tags=_IN_ONE_ENVIRONMENT,
    parameters=[
        query("format", "What the file shall be.", enum=EXPORT_FORMATS, default="native"),
        query("report", "What is in the file and what not, instead of it.", bool),
    ],
    responses=answers(200, OpenApiTypes.OBJECT),
)
