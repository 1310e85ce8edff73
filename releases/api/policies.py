"""``…/projects/{project}/release-policies``: what releases have to be watched by, and planned like.

A key sees the policies that hold in its environment, and changes those that hold nowhere else.
"""

from collections.abc import Iterator
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from portal.access.api.scope import allowed_here, holder_of, project_of
from portal.access.permissions import Permission
from portal.lib.api.endpoints import answer, answer_page, find, seen_version
from portal.lib.api.shapes import MOMENT, OBJECTS, TEXT, TEXTS, WHOLE, PageShape, Shape, read_object
from portal.lib.api.views import CONFLICT, MAY_MATCH, ApiView, operation
from portal.lib.journal import Intent
from releases.api.services import TAG
from releases.engine.policies import Policy, Ruling
from releases.policies import demands, descriptions, services
from releases.policies.models import ReleasePolicy
from releases.policies.services import MOST_NAMES, MOST_REQUIRED

_FIELDS: dict[str, Any] = {
    "environments": TEXTS("Keys; none are all of them.", optional=True, maxItems=MOST_NAMES),
    "services": TEXTS(
        "Keys of services; with neither services nor tags it is for every release.",
        optional=True,
        maxItems=MOST_NAMES,
    ),
    "tags": TEXTS("Of flags.", optional=True, maxItems=MOST_NAMES),
    "checks": OBJECTS("Attached to every release, like those of a plan.", optional=True),
    "templates": TEXTS(
        "Keys of plan templates, one of which a release has to use; none allow every plan.",
        optional=True,
        maxItems=MOST_REQUIRED,
    ),
}
NEW_POLICY = Shape(
    "NewReleasePolicy",
    {"name": TEXT("Without one its key.", optional=True, maxLength=200), **_FIELDS},
    "What releases have to be watched by, and planned like; what is left out is empty.",
)
POLICY = Shape(
    "ReleasePolicy",
    {
        "key": TEXT(),
        "name": TEXT(),
        "environments": TEXTS("None are all of them."),
        "services": TEXTS(),
        "tags": TEXTS("Of flags."),
        "checks": OBJECTS("With every field that their kind has."),
        "templates": TEXTS("Keys of plan templates."),
        "version": WHOLE("Also the ETag."),
        "updated_at": MOMENT(),
        "updated_by": TEXT(),
    },
    "What releases have to be watched by, and planned like.",
)
POLICIES = PageShape("ReleasePolicyPage", "release_policies", POLICY.many())
APPLIED = Shape(
    "AppliedPolicy",
    {
        "key": TEXT(),
        "name": TEXT(),
        "why": TEXT("Why it applies."),
        "checks": TEXTS("The keys of the checks that it attaches."),
        "templates": TEXTS("The templates that are required by it; empty where it requires none."),
        "overruled": TEXTS("What a more specific policy says instead, one sentence each."),
    },
    "A policy that applies to a release, and what it wins.",
)


def applied(ruling: Ruling) -> list[dict[str, Any]]:
    return list(_applied(ruling))


def _applied(ruling: Ruling) -> Iterator[dict[str, Any]]:
    for policy in ruling.policies:
        yield {
            "key": policy.key,
            "name": policy.name,
            "why": descriptions.why_sentence(policy, ruling.moved),
            "checks": _won(policy, ruling),
            "templates": list(policy.templates) if ruling.requiring is policy else [],
            "overruled": descriptions.overruled_sentences(policy, ruling),
        }


def _won(policy: Policy, ruling: Ruling) -> list[str]:
    return [check.key for check in policy.checks if ruling.winners[check.key] is policy]


class PolicyList(ApiView):
    @operation("list_release_policies", TAG, POLICIES)
    def get(self, request: Request, project: str) -> Response:
        """A page of release policies, in order of their keys."""
        own = project_of(request, project)
        rows = demands.policies_in(own, holder_of(request).environment)
        return answer_page(request, POLICIES, rows, by="key")


class PolicyDetail(ApiView):
    @operation("read_release_policy", TAG, POLICY)
    def get(self, request: Request, project: str, policy: str) -> Response:
        """Which releases it is for, and what it wants of them."""
        found = _policy_of(request, project, policy)
        return answer(POLICY.dump(found), version=found.version)

    @operation(
        "save_release_policy", TAG, POLICY, CONFLICT, body=NEW_POLICY, parameters=[MAY_MATCH]
    )
    def put(self, request: Request, project: str, policy: str) -> Response:
        """Make a policy, or change it. Takes `environment.configure` wherever it holds, and the
        approval that these environments want."""
        own = allowed_here(request, project, Permission.ENVIRONMENT_CONFIGURE).project
        stored = services.put_policy(
            project=own,
            key=policy,
            document={"name": policy, **read_object(request.data)},
            expected_version=seen_version(request),
            intent=Intent(holder_of(request).actor),
        )
        return answer(POLICY.dump(stored), version=stored.version)

    @operation("delete_release_policy", TAG, None, CONFLICT, parameters=[MAY_MATCH])
    def delete(self, request: Request, project: str, policy: str) -> Response:
        """Delete a policy. Releases that it was attached to keep its checks."""
        own = allowed_here(request, project, Permission.ENVIRONMENT_CONFIGURE).project
        services.delete_policy(
            project=own,
            key=_policy_of(request, project, policy).key,
            expected_version=seen_version(request),
            intent=Intent(holder_of(request).actor),
        )
        return Response(status=204)


def _policy_of(request: Request, project: str, key: str) -> ReleasePolicy:
    own = project_of(request, project)
    return find(demands.policies_in(own, holder_of(request).environment), key=key)
