"""``/api/v1/projects/{project}/environments/{environment}/policy``: who has to agree to changes.

A key that may configure the environment changes it as people do: what lowers it waits until those
have agreed whom the old one names, and no key votes.
"""

from collections.abc import Mapping

from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access.api.authentication import holder_of
from portal.access.api.scope import environment_of
from portal.access.permissions import Permission
from portal.approvals import services
from portal.approvals.api import schema
from portal.approvals.models import Policy
from portal.lib.api.etags import etag, seen_version
from portal.lib.api.problems import PreconditionRequired
from portal.lib.api.views import ApiView
from portal.lib.errors import Invalid
from portal.lib.intent import Intent


class PolicyDetail(ApiView):
    """The approval policy of an environment."""

    @schema.read_policy
    def get(self, request: Request, project: str, environment: str) -> Response:
        """The policy; 404 where nobody has to agree to anything."""
        place = environment_of(request, project, environment)
        policy = Policy.objects.filter(environment=place).first()
        if policy is None:
            raise Http404
        return _answer(policy)

    @schema.set_policy
    def put(self, request: Request, project: str, environment: str) -> Response:
        """Give the environment this policy. One that lowers what there is has to be approved."""
        place = environment_of(request, project, environment, Permission.ENVIRONMENT_CONFIGURE)
        seen = seen_version(request)
        if seen is None and Policy.objects.filter(environment=place).exists():
            raise PreconditionRequired
        if not isinstance(request.data, Mapping):
            raise Invalid({"": _("Send a JSON object.")})
        stored = services.set_policy(
            environment=place,
            document=request.data,
            expected_version=seen or 0,
            intent=Intent(holder_of(request).actor),
        )
        if stored is None:
            raise Http404
        return _answer(stored)


def _answer(policy: Policy) -> Response:
    document = {
        **policy.document,
        "version": policy.version,
        "updated_at": policy.updated_at.isoformat(),
        "updated_by": policy.updated_by,
    }
    return Response(document, headers={"ETag": etag(policy.version)})
