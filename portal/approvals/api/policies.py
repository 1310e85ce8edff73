"""``/api/v1/projects/{project}/environments/{environment}/policy``: who has to agree to changes.

Keys read it. People change it: a key that could lower what stands in its own way would be no key.
"""

from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access.api_scope import environment_of
from portal.approvals.api import schema
from portal.approvals.models import Policy
from portal.lib.api_view import ApiView


class PolicyDetail(ApiView):
    """The approval policy of an environment."""

    @schema.read_policy
    def get(self, request: Request, project: str, environment: str) -> Response:
        """The policy; 404 where nobody has to agree to anything."""
        place = environment_of(request, project, environment)
        policy = Policy.objects.filter(environment=place).first()
        if policy is None:
            raise Http404
        document = {
            **policy.document,
            "version": policy.version,
            "updated_at": policy.updated_at.isoformat(),
            "updated_by": policy.updated_by,
        }
        return Response(document, headers={"ETag": f'"{policy.version}"'})
