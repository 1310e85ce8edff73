"""``/api/v1/projects/{project}/exclusion-groups``: lines that flags share."""

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from flags.core.api.scope import found_row
from flags.core.api.shapes import PERCENT, STORED
from flags.engine import limits
from flags.exclusion_groups import services as group_services
from flags.models import ExclusionGroup
from portal.access.api.scope import holder_of, project_of
from portal.lib.api.endpoints import (
    answer,
    answer_page,
    seen_version,
    version_to_change,
)
from portal.lib.api.parsers import merge_patch
from portal.lib.api.shapes import NUMBER, TEXT, PageShape, Shape
from portal.lib.api.views import CONFLICT, MAY_MATCH, ApiView, operation
from portal.lib.journal import Intent

_TAG = "exclusion groups"
SLOT = Shape(
    "Slot",
    {"flag": TEXT(), "from": PERCENT, "to": PERCENT},
    "A flag's part of the line, in percent.",
)
GROUP_PATCH = Shape(
    "ExclusionGroupPatch",
    {
        "name": TEXT(optional=True, nullable=True),
        "description": TEXT(optional=True, nullable=True),
        "slots": SLOT.many(optional=True, nullable=True),
        "holdout": NUMBER("In percent.", optional=True, nullable=True, minimum=0, maximum=100),
        "salt": TEXT("Another one deals out everybody anew, on purpose.", optional=True),
        "bucket_by": TEXT(optional=True, nullable=True),
    },
    "Fields to change. Slots and holdout grow into free room only; users keep their place.",
)
NEW_GROUP = GROUP_PATCH.but("NewExclusionGroup", key=TEXT(maxLength=limits.MAX_KEY_CHARS))
GROUP = Shape(
    "ExclusionGroup",
    {
        "key": TEXT(),
        "name": TEXT(),
        "description": TEXT(),
        "salt": TEXT(),
        "slots": SLOT.many(),
        "holdout": NUMBER(),
        "bucket_by": TEXT(),
        **STORED,
    },
    stored="document",
)
GROUPS = PageShape("ExclusionGroupPage", "groups", GROUP.many())


class GroupList(ApiView):
    """The exclusion groups of a project."""

    @operation("list_exclusion_groups", _TAG, GROUPS)
    def get(self, request: Request, project: str) -> Response:
        """A page of exclusion groups, in order of their keys."""
        groups = ExclusionGroup.objects.filter(project=project_of(request, project))
        return answer_page(request, GROUPS, groups, by="key")

    @operation("create_exclusion_group", _TAG, GROUP, status=201, body=NEW_GROUP)
    def post(self, request: Request, project: str) -> Response:
        """Create an exclusion group; without a salt it gets a fresh one."""
        group = group_services.create_group(
            project=project_of(request, project),
            document=request.data,
            intent=Intent(holder_of(request).actor),
        )
        where = reverse("api-exclusion-group", kwargs={"project": project, "key": group.key})
        return answer(GROUP.dump(group), version=group.version, at=where)


class GroupDetail(ApiView):
    """One exclusion group; its key may hold slashes."""

    @operation("read_exclusion_group", _TAG, GROUP)
    def get(self, request: Request, project: str, key: str) -> Response:
        """An exclusion group. Its ETag is its version."""
        group = group_of(request, project, key)
        return answer(GROUP.dump(group), version=group.version)

    @operation(
        "edit_exclusion_group", _TAG, GROUP, CONFLICT, body=GROUP_PATCH, parameters=[MAY_MATCH]
    )
    def patch(self, request: Request, project: str, key: str) -> Response:
        """Change an exclusion group, in every environment, by a merge patch (RFC 7396).

        Slots and holdout grow into free room only, so that users keep their place.
        """
        group = group_of(request, project, key)
        edited = group_services.edit_group(
            group=group,
            document=merge_patch(group.document, request.data),
            expected_version=version_to_change(request, group.version),
            intent=Intent(holder_of(request).actor),
        )
        return answer(GROUP.dump(edited), version=edited.version)

    @operation("delete_exclusion_group", _TAG, None, CONFLICT, parameters=[MAY_MATCH])
    def delete(self, request: Request, project: str, key: str) -> Response:
        """Delete an exclusion group that no rule names; 409 says what does."""
        group_services.delete_group(
            group=group_of(request, project, key),
            expected_version=seen_version(request),
            intent=Intent(holder_of(request).actor),
        )
        return Response(status=204)


def group_of(request: Request, project_key: str, key: str) -> ExclusionGroup:
    return found_row(
        lambda project, key: project.exclusion_groups.get(key=key), request, project_key, key
    )
