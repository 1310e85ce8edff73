"""``/api/v1/projects/{project}/change-requests``: what became of them, and what is said of them.

Keys ask and look; they never vote, and they apply nothing.
"""

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access.api.scope import environment_of, holder_of, project_of
from portal.access.models import Environment
from portal.approvals import approval_progress, handlers, selectors, services
from portal.approvals.descriptions import missing_in
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest, Comment, Evidence, Result, State, Verdict, Vote
from portal.approvals.selectors import Assessment, assess_request
from portal.lib import clock
from portal.lib.api.endpoints import answer, answer_page, choice, find, text
from portal.lib.api.shapes import MOMENT, OBJECT, SWITCH, TEXT, TEXTS, WHOLE, PageShape, Shape
from portal.lib.api.views import PLAIN, ApiView, operation, query
from portal.lib.errors import MOST_TEXT, Invalid
from portal.lib.journal import Intent

CHANGE_REQUEST = Shape(
    "ChangeRequest",
    {
        "id": WHOLE(of="pk"),
        "address": TEXT("The page where people approve it.", of=lambda one: Waiting(one).address),
        "state": TEXT(enum=State.values),
        "title": TEXT(),
        "kind": TEXT(),
        "subject_kind": TEXT(),
        "subject": TEXT(),
        "environments": TEXTS(of=lambda one: [place.key for place in one.environments.all()]),
        "author": TEXT(),
        "reason": TEXT(),
        "revision": WHOLE("Rises with every edit, which voids the votes."),
        "digest": TEXT(),
        "artefact": TEXT("The digest of what it ships, or empty."),
        "apply_when_approved": SWITCH(),
        "created_at": MOMENT(),
        "revised_at": MOMENT(),
        "closed_at": MOMENT(nullable=True),
        "closed_by": TEXT(),
    },
)
CHANGE_REQUESTS = PageShape("ChangeRequestPage", "change_requests", CHANGE_REQUEST.many())
VOTE = Shape(
    "Vote",
    {
        "person": TEXT(of="user.username"),
        "verdict": TEXT(enum=Verdict.values),
        "digest": TEXT(),
        "roles": TEXTS("At that time.", of="names"),
        "comment": TEXT(),
        "at": MOMENT(),
        "not_counted": TEXTS(
            "By environment, why it does not count yet: somebody gave the account a vote."
        ),
    },
)
OUTCOME = Shape(
    "Outcome",
    {"title": TEXT(), "before": TEXTS(), "after": TEXTS()},
    "Who gets what in one place, one sentence each.",
)
FULL = CHANGE_REQUEST.but(
    "FullChangeRequest",
    base_version=TEXT(),
    before=OBJECT(),
    after=OBJECT(),
    words=TEXTS(),
    outcomes=OUTCOME.many("Who gets what before and after."),
    votes=VOTE.many(),
    missing=TEXTS("What it still lacks, one sentence each."),
)
NEW_COMMENT = Shape("NewComment", {"text": TEXT(maxLength=MOST_TEXT)})
COMMENT = Shape(
    "Comment",
    {"id": WHOLE(of="pk"), "author": TEXT(), **NEW_COMMENT.fields, "at": MOMENT()},
)
COMMENTS = PageShape("CommentPage", "comments", COMMENT.many())


class ChangeRequestList(ApiView):
    @operation(
        "list_change_requests",
        "approvals",
        CHANGE_REQUESTS,
        parameters=[
            query("state", "Only those in this state.", enum=State.values),
            query("environment", "Only those of this environment, which must be the key's."),
        ],
    )
    def get(self, request: Request, project: str) -> Response:
        """A page of change requests, the newest first."""
        rows = _requests(request, project)
        if place := text(request, "environment"):
            environment_of(request, project, place)
        if state := choice(request, "state", State.values):
            rows = rows.filter(state=state)
        return answer_page(request, CHANGE_REQUESTS, rows, by="-pk")


class ChangeRequestDetail(ApiView):
    @operation("read_change_request", "approvals", FULL)
    def get(self, request: Request, project: str, number: int) -> Response:
        """What it would change, who voted, and what it still lacks."""
        found = find(_requests(request, project), pk=number)
        return _answer(found, holder_of(request).environment)


class Withdrawal(ApiView):
    @operation(
        "withdraw_change_request",
        "approvals",
        FULL,
        (409, PLAIN, "The request is decided already."),
    )
    def post(self, request: Request, project: str, number: int) -> Response:
        """Take back what this key asked for."""
        asked = find(_requests(request, project), pk=number)
        taken = services.withdraw_request(request=asked, intent=Intent(holder_of(request).actor))
        return _answer(taken, holder_of(request).environment)


class CommentList(ApiView):
    @operation("list_comments", "approvals", COMMENTS)
    def get(self, request: Request, project: str, number: int) -> Response:
        """A page of comments, the first ones first."""
        rows = Comment.objects.filter(request=find(_requests(request, project), pk=number))
        return answer_page(request, COMMENTS, rows, by="pk")

    @operation("comment_on_change_request", "approvals", COMMENT, status=201, body=NEW_COMMENT)
    def post(self, request: Request, project: str, number: int) -> Response:
        """Say something about it, for the people who approve it to read."""
        comment = services.comment_on_request(
            request=find(_requests(request, project), pk=number),
            **NEW_COMMENT.read(request.data),
            intent=Intent(holder_of(request).actor),
        )
        return answer(COMMENT.dump(comment), status=201)


def _requests(request: Request, project: str) -> QuerySet[ChangeRequest]:
    rows = selectors.requests_of(project_of(request, project))
    return rows.filter(environments=holder_of(request).environment)


def _answer(request: ChangeRequest, environment: Environment) -> Response:
    """A request with its content, its votes, and what it still lacks.

    What an import wants in another environment is left out: of that one it is the content; and so
    is who gets what there.
    """
    assessments = assess_request(request, now=clock.database_now()) if request.is_open else []
    outcomes = [
        one for one in handlers.outcomes_of(request) if one.environment in ("", environment.key)
    ]
    votes = [
        VOTE.dump(vote, not_counted=_why_not_counted(vote, assessments))
        for vote in request.votes.select_related("user")
    ]
    elsewhere = request.subject_kind == "import" and request.subject != environment.key
    document = FULL.dump(
        request,
        before={} if elsewhere else request.before,
        after={} if elsewhere else request.after,
        outcomes=[OUTCOME.dump(one) for one in outcomes],
        votes=votes,
        missing=_missing(request, assessments) if request.is_open else [],
    )
    return answer(document)


def _missing(request: ChangeRequest, assessments: list[Assessment]) -> list[str]:
    return [*handlers.stopped([request]).values(), *missing_in(request, assessments)]


def _why_not_counted(vote: Vote, assessments: list[Assessment]) -> list[str]:
    """By environment, of a vote that agrees and does not count."""
    return [
        f"{one.environment.key}: {why}"
        for one in assessments
        if vote.verdict == Verdict.APPROVE and vote.user_id not in one.status.counted
        if (why := approval_progress.why_not_counted(one, vote.user_id))
    ]


NEW_EVIDENCE = Shape(
    "NewEvidence",
    {
        "digest": TEXT(
            "Of an artefact, or of a change request's content.", pattern="^sha256:[0-9a-f]{64}$"
        ),
        "kind": TEXT("Such as security_scan.", pattern="^[a-z][a-z0-9_]{0,49}$"),
        "result": TEXT(enum=Result.values),
        "expires_at": MOMENT("With its zone, a year ahead at most."),
        "detail": TEXT(optional=True, of="detail", maxLength=2000),
    },
)
_FIELDS = dict(NEW_EVIDENCE.fields)
EVIDENCE = Shape(
    "Evidence",
    {
        "id": WHOLE(of="pk"),
        **{name: _FIELDS[name] for name in ("digest", "kind", "result", "detail")},
        "posted_by": TEXT(),
        "posted_at": MOMENT(),
        "expires_at": _FIELDS["expires_at"],
    },
)
EVIDENCES = PageShape(
    "EvidencePage",
    "evidence",
    EVIDENCE.many("The latest first; of each kind the latest counts."),
)


class EvidenceList(ApiView):
    @operation(
        "list_evidence",
        "approvals",
        EVIDENCES,
        parameters=[query("digest", "What the evidence is about.", required=True)],
    )
    def get(self, request: Request, project: str) -> Response:
        """The evidence about one digest, the latest first."""
        own, digest = project_of(request, project), text(request, "digest")
        if not digest:
            raise Invalid({"digest": _("Say which digest the evidence is about.")})
        rows = Evidence.objects.filter(project=own, digest=digest)
        return answer_page(request, EVIDENCES, rows, by="-pk")

    @operation("post_evidence", "approvals", EVIDENCE, status=201, body=NEW_EVIDENCE)
    def post(self, request: Request, project: str) -> Response:
        """Post one result. Of each kind the latest counts, until it expires."""
        evidence = services.post_evidence(
            project=project_of(request, project),
            **NEW_EVIDENCE.read(request.data),
            intent=Intent(holder_of(request).actor),
        )
        return answer(EVIDENCE.dump(evidence), status=201)
