"""``/api/v1/projects/{project}/evidence``: what machines found out."""

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access.api.scope import holder_of, project_of
from portal.approvals import services
from portal.approvals.models import Evidence, Result
from portal.lib.api.endpoints import answer, answer_page, text
from portal.lib.api.shapes import MOMENT, TEXT, WHOLE, PageShape, Shape
from portal.lib.api.views import ApiView, operation, query
from portal.lib.errors import Invalid
from portal.lib.journal import Intent

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
