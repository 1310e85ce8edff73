"""What each endpoint takes and answers, for the schema."""

from typing import Final

from drf_spectacular.utils import extend_schema

from portal.approvals.api import shapes
from portal.approvals.models import State
from portal.lib.api.operations import PAGING, WITH_BODY, Problem, answers, if_match, query

_TAGS: Final = ["approvals"]
_DECIDED: Final = {409: (Problem, "The request is decided already.")}

post_evidence = extend_schema(
    operation_id="post_evidence",
    tags=_TAGS,
    request=shapes.NewEvidence,
    responses=answers(201, shapes.Evidence, *WITH_BODY),
)
list_evidence = extend_schema(
    operation_id="list_evidence",
    tags=_TAGS,
    parameters=[query("digest", "What the evidence is about.", required=True), *PAGING],
    responses=answers(200, shapes.EvidencePage),
)
list_change_requests = extend_schema(
    operation_id="list_change_requests",
    tags=_TAGS,
    parameters=[
        query("state", "Only those in this state.", enum=State.values),
        query("environment", "Only those of this environment, which must be the key's."),
        *PAGING,
    ],
    responses=answers(200, shapes.ChangeRequestPage),
)
read_change_request = extend_schema(
    operation_id="read_change_request",
    tags=_TAGS,
    responses=answers(200, shapes.FullChangeRequest),
)
withdraw_change_request = extend_schema(
    operation_id="withdraw_change_request",
    tags=_TAGS,
    request=None,
    responses=answers(200, shapes.FullChangeRequest, special=_DECIDED),
)
list_comments = extend_schema(
    operation_id="list_comments",
    tags=_TAGS,
    parameters=PAGING,
    responses=answers(200, shapes.CommentPage),
)
comment_on_change_request = extend_schema(
    operation_id="comment_on_change_request",
    tags=_TAGS,
    request=shapes.NewComment,
    responses=answers(201, shapes.Comment, *WITH_BODY),
)
read_policy = extend_schema(
    operation_id="read_policy", tags=_TAGS, responses=answers(200, shapes.Policy)
)
set_policy = extend_schema(
    operation_id="set_policy",
    tags=_TAGS,
    parameters=[if_match("The ETag that was read; none where there is no policy yet.")],
    request=shapes.NewPolicy,
    responses=answers(200, shapes.Policy, 409, 428, *WITH_BODY),
)
