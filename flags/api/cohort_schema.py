"""What the endpoints of segments and exclusion groups take and answer, for the schema."""

from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema

from flags.api import cohort_shapes as shapes
from flags.services.key_lists import Mode
from portal.lib.api.operations import PAGING, WITH_BODY, answers, query

_SEGMENTS: Final = ["segments"]
_GROUPS: Final = ["exclusion groups"]
_IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    "header",
    description="The ETag that was read; without it whatever is there now is changed.",
)


def _patch(shape: Any) -> dict[str, Any]:
    return {"application/json": shape, "application/merge-patch+json": shape}


list_segments = extend_schema(
    operation_id="list_segments",
    tags=_SEGMENTS,
    parameters=[query("search", "In key and name."), *PAGING],
    responses=answers(200, shapes.SegmentPage),
)
create_segment = extend_schema(
    operation_id="create_segment",
    tags=_SEGMENTS,
    request=shapes.NewSegment,
    responses=answers(201, shapes.Segment, *WITH_BODY),
)
read_segment = extend_schema(
    operation_id="read_segment", tags=_SEGMENTS, responses=answers(200, shapes.Segment)
)
edit_segment = extend_schema(
    operation_id="edit_segment",
    tags=_SEGMENTS,
    parameters=[_IF_MATCH],
    request=_patch(shapes.SegmentPatch),
    responses=answers(200, shapes.Segment, 409, *WITH_BODY),
)
delete_segment = extend_schema(
    operation_id="delete_segment",
    tags=_SEGMENTS,
    parameters=[_IF_MATCH],
    responses=answers(204, None, 409),
)
list_keys = extend_schema(
    operation_id="list_segment_keys",
    tags=_SEGMENTS,
    parameters=[query("search", "In the key."), *PAGING],
    responses=answers(200, shapes.SegmentKeyPage),
)
change_keys = extend_schema(
    operation_id="change_segment_keys",
    tags=_SEGMENTS,
    parameters=[
        _IF_MATCH,
        query("mode", "What to do with the keys of a CSV file.", enum=[one.value for one in Mode]),
    ],
    request={"application/json": shapes.KeyChange, "text/csv": OpenApiTypes.STR},
    responses=answers(200, shapes.KeyReport, 409, *WITH_BODY),
)
list_groups = extend_schema(
    operation_id="list_exclusion_groups",
    tags=_GROUPS,
    parameters=PAGING,
    responses=answers(200, shapes.ExclusionGroupPage),
)
create_group = extend_schema(
    operation_id="create_exclusion_group",
    tags=_GROUPS,
    request=shapes.NewExclusionGroup,
    responses=answers(201, shapes.Group, *WITH_BODY),
)
read_group = extend_schema(
    operation_id="read_exclusion_group", tags=_GROUPS, responses=answers(200, shapes.Group)
)
edit_group = extend_schema(
    operation_id="edit_exclusion_group",
    tags=_GROUPS,
    parameters=[_IF_MATCH],
    request=_patch(shapes.ExclusionGroupPatch),
    responses=answers(200, shapes.Group, 409, *WITH_BODY),
)
delete_group = extend_schema(
    operation_id="delete_exclusion_group",
    tags=_GROUPS,
    parameters=[_IF_MATCH],
    responses=answers(204, None, 409),
)
