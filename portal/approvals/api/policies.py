"""``/api/v1/projects/{project}/environments/{environment}/policy``: who has to agree to changes.

A key that may configure the environment changes it as people do: what lowers it waits until those
have agreed whom the old one names, and no key votes.
"""

from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access.api.scope import environment_of, holder_of
from portal.access.permissions import Permission
from portal.approvals import services
from portal.approvals.models import Policy
from portal.approvals.policy_rules import DAYS, MINUTES, MOST_APPROVALS, SCOPES
from portal.lib.api.endpoints import answer, find, seen_version
from portal.lib.api.problems import PreconditionRequired
from portal.lib.api.shapes import MOMENT, OBJECT, SWITCH, TEXT, TEXTS, WHOLE, Shape, read_object
from portal.lib.api.views import CONFLICT, NO_MATCH, ApiView, header, operation
from portal.lib.journal import Intent

_INDEPENDENCE = "For how long an account counts as one person with who gave it a vote."
NEW_POLICY = Shape(
    "NewPolicy",
    {
        "required_approvals": WHOLE(
            "How many people have to agree.", minimum=1, maximum=MOST_APPROVALS
        ),
        "required_roles": TEXTS(optional=True),
        "evidence": OBJECT(
            optional=True, additionalProperties={"type": "string", "enum": list(SCOPES)}
        ),
        "turning_off_needs_approval": SWITCH(optional=True),
        "break_glass": TEXTS(optional=True),
        "break_glass_minutes": WHOLE(optional=True, minimum=MINUTES[0], maximum=MINUTES[-1]),
        "independence_days": WHOLE(_INDEPENDENCE, optional=True, minimum=DAYS[0], maximum=DAYS[-1]),
    },
    "What an environment is to want; what is left out is as strict as where nothing is said.",
)
POLICY = Shape(
    "Policy",
    {
        "required_approvals": WHOLE("How many people have to agree."),
        "required_roles": TEXTS("What they must cover together."),
        "evidence": OBJECT(
            "Its kinds, each for `all` or for `artefacts`.",
            additionalProperties={"type": "string"},
        ),
        "turning_off_needs_approval": SWITCH(),
        "break_glass": TEXTS("Who may act first and be reviewed later."),
        "break_glass_minutes": WHOLE(),
        "independence_days": WHOLE(_INDEPENDENCE),
        "version": WHOLE("Also the ETag."),
        "updated_at": MOMENT(),
        "updated_by": TEXT(),
    },
    "What an environment wants before something changes in it.",
    stored="document",
)


class PolicyDetail(ApiView):
    @operation("read_policy", "approvals", POLICY)
    def get(self, request: Request, project: str, environment: str) -> Response:
        """The policy; 404 where nobody has to agree to anything."""
        place = environment_of(request, project, environment)
        policy = find(Policy.objects.filter(environment=place))
        return answer(POLICY.dump(policy), version=policy.version)

    @operation(
        "set_policy",
        "approvals",
        POLICY,
        CONFLICT,
        NO_MATCH,
        body=NEW_POLICY,
        parameters=[
            header("If-Match", "The ETag that was read; none where there is no policy yet.")
        ],
    )
    def put(self, request: Request, project: str, environment: str) -> Response:
        """Give the environment this policy. One that lowers what there is has to be approved."""
        place = environment_of(request, project, environment, Permission.ENVIRONMENT_CONFIGURE)
        seen = seen_version(request)
        if seen is None and Policy.objects.filter(environment=place).exists():
            raise PreconditionRequired
        stored = services.set_policy(
            environment=place,
            document=read_object(request.data),
            expected_version=seen or 0,
            intent=Intent(holder_of(request).actor),
        )
        if stored is None:
            raise Http404
        return answer(POLICY.dump(stored), version=stored.version)
