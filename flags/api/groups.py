"""``/api/v1/projects/{project}/exclusion-groups``: lines that flags share."""

from urllib.parse import quote

from django.http import Http404
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from flags import cohorts, services
from flags.api import cohort_schema as schema
from flags.api.documents import merge_patch
from flags.models import ExclusionGroup
from portal.access.api.authentication import holder_of
from portal.access.api.scope import project_of
from portal.lib.api.etags import etag, seen_version
from portal.lib.api.pagination import PAGING, listing, page_of
from portal.lib.api.parsers import MergePatchParser, StrictJSONParser
from portal.lib.api.views import ApiView
from portal.lib.intent import Intent


class GroupList(ApiView):
    """The exclusion groups of a project."""

    asks = {"GET": PAGING}

    @schema.list_groups
    def get(self, request: Request, project: str) -> Response:
        """A page of exclusion groups, in order of their keys."""
        groups = ExclusionGroup.objects.filter(project=project_of(request, project))
        page, following = page_of(request, groups, by="key")
        return listing(request, "groups", list(map(group_document, page)), following)

    @schema.create_group
    def post(self, request: Request, project: str) -> Response:
        """Create an exclusion group; without a salt it gets a fresh one."""
        group = services.create_group(
            project=project_of(request, project),
            document=request.data,
            intent=Intent(holder_of(request).actor),
        )
        where = reverse("api-exclusion-group", kwargs={"project": project, "key": group.key})
        return _answer(group, status=201, headers={"Location": quote(where, safe="/%")})


class GroupDetail(ApiView):
    """One exclusion group; its key may hold slashes."""

    parser_classes = [StrictJSONParser, MergePatchParser]

    @schema.read_group
    def get(self, request: Request, project: str, key: str) -> Response:
        """An exclusion group. Its ETag is its version."""
        return _answer(_group_of(request, project, key))

    @schema.edit_group
    def patch(self, request: Request, project: str, key: str) -> Response:
        """Change an exclusion group, in every environment, by a merge patch (RFC 7396).

        Slots and holdout grow into free room only, so that users keep their place.
        """
        group = _group_of(request, project, key)
        seen = seen_version(request)
        edited = services.edit_group(
            group=group,
            document=merge_patch(group.document, request.data),
            expected_version=group.version if seen is None else seen,
            intent=Intent(holder_of(request).actor),
        )
        return _answer(edited)

    @schema.delete_group
    def delete(self, request: Request, project: str, key: str) -> Response:
        """Delete an exclusion group that no rule names; 409 says what does."""
        services.delete_group(
            group=_group_of(request, project, key),
            expected_version=seen_version(request),
            intent=Intent(holder_of(request).actor),
        )
        return Response(status=204)


def _group_of(request: Request, project_key: str, key: str) -> ExclusionGroup:
    project = project_of(request, project_key)
    if "\0" in key:  # PostgreSQL refuses to look for it
        raise Http404
    try:
        return cohorts.get_group(project, key)
    except ExclusionGroup.DoesNotExist:
        raise Http404 from None


def group_document(group: ExclusionGroup) -> dict[str, object]:
    """An exclusion group as the API answers it."""
    return {
        **group.document,
        "version": group.version,
        "created_at": group.created_at.isoformat(),
        "updated_at": group.updated_at.isoformat(),
    }


def _answer(
    group: ExclusionGroup, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    tagged = {"ETag": etag(group.version), **(headers or {})}
    return Response(group_document(group), status=status, headers=tagged)
