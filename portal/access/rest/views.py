"""``/api/v1/projects/…``: projects, their environments, and who has access to them.

Keys read all of it and change none: a key hands out no access, its own least of all.
"""

from typing import ClassVar

from django.http import Http404
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access import overview, selectors
from portal.access.api import holder_of
from portal.access.api_scope import project_of
from portal.access.models import Project
from portal.access.rest import documents, schema
from portal.access.rest.asking import choice, named
from portal.lib import clock
from portal.lib.api_paging import PAGING, listing, page_of, page_of_keys
from portal.lib.api_query import text
from portal.lib.api_view import ApiView


class AccessView(ApiView):
    """An endpoint that keys only read."""

    refusal: ClassVar[str] = _(  # type: ignore[assignment]  # said in the language of whoever asks
        "API keys hand out no access: somebody who may changes this in the portal."
    )


class ProjectList(AccessView):
    """What the key is for."""

    asks = {"GET": PAGING}

    @schema.list_projects
    def get(self, request: Request) -> Response:
        """The projects that the key reaches: its own."""
        rows = Project.objects.filter(pk=holder_of(request).project.pk)
        page, following = page_of(request, rows, by="key")
        return listing(request, "projects", [documents.project(one) for one in page], following)


class ProjectDetail(AccessView):
    """One project."""

    @schema.read_project
    def get(self, request: Request, project: str) -> Response:
        """What the project is called."""
        return Response(documents.project(project_of(request, project)))


class EnvironmentList(AccessView):
    """The environments of a project."""

    asks = {"GET": PAGING}

    @schema.list_environments
    def get(self, request: Request, project: str) -> Response:
        """A page of environments, in order of their keys."""
        rows = project_of(request, project).environments.all()
        page, following = page_of(request, rows, by="key")
        found = [documents.environment(one) for one in page]
        return listing(request, "environments", found, following)


class EnvironmentDetail(AccessView):
    """One environment."""

    @schema.read_environment
    def get(self, request: Request, project: str, environment: str) -> Response:
        """An environment, and the version that its flags are at."""
        found = project_of(request, project).environments.filter(key=environment).first()
        if found is None:
            raise Http404
        return Response(documents.environment(found))


class MemberList(AccessView):
    """The people of a project."""

    asks = {"GET": PAGING}

    @schema.list_members
    def get(self, request: Request, project: str) -> Response:
        """A page of members by name, each with what they were given, also through groups."""
        own = project_of(request, project)
        page, following = page_of(request, selectors.members_of(own), by="username")
        held = {one.user.pk: one for one in overview.members_with_roles(own)}
        found = [documents.member(held[user.pk]) for user in page if user.pk in held]
        return listing(request, "members", found, following)


class GrantList(AccessView):
    """Who was given which role."""

    asks = {"GET": ("member", "group", "role", "environment", *PAGING)}

    @schema.list_grants
    def get(self, request: Request, project: str) -> Response:
        """A page of roles given to people and groups, the first ones first."""
        fields = {
            "user__username": text(request, "member"),
            "group__key": text(request, "group"),
            "role": text(request, "role"),
            "environment__key": text(request, "environment"),
        }
        rows = project_of(request, project).grants.filter(**named(fields))
        rows = rows.select_related("user", "group", "environment")
        page, following = page_of(request, rows, by="pk")
        return listing(request, "grants", [documents.grant(one) for one in page], following)


class GroupList(AccessView):
    """The groups of a project."""

    asks = {"GET": PAGING}

    @schema.list_groups
    def get(self, request: Request, project: str) -> Response:
        """A page of groups with their members, in order of their keys."""
        rows = project_of(request, project).groups.prefetch_related("members")
        page, following = page_of(request, rows, by="key")
        return listing(request, "groups", [documents.group(one) for one in page], following)


class RoleList(AccessView):
    """The roles of a project."""

    asks = {"GET": PAGING}

    @schema.list_roles
    def get(self, request: Request, project: str) -> Response:
        """A page of roles with what they permit, built in and the project's own, by their keys."""
        roles = {one.key: one for one in overview.roles_of(project_of(request, project))}
        keys, following = page_of_keys(request, roles)
        return listing(request, "roles", [documents.role(roles[key]) for key in keys], following)


class InvitationList(AccessView):
    """The invitations of a project."""

    asks = {"GET": PAGING}

    @schema.list_invitations
    def get(self, request: Request, project: str) -> Response:
        """A page of invitations, the newest first; their links are shown to nobody again."""
        rows = project_of(request, project).invitations.select_related("environment", "accepted_by")
        page, following = page_of(request, rows, by="-pk")
        now = clock.now()
        found = [documents.invitation(one, now) for one in page]
        return listing(request, "invitations", found, following)


class KeyList(AccessView):
    """The API keys of a project."""

    asks = {"GET": ("environment", "kind", *PAGING)}

    @schema.list_keys
    def get(self, request: Request, project: str) -> Response:
        """A page of keys, the newest first; what lets anybody in is not among it."""
        own = project_of(request, project)
        fields = {
            "environment__key": text(request, "environment"),
            "kind": choice(request, "kind", schema.KINDS),
        }
        rows = selectors.keys_of(own).filter(**named(fields))
        page, following = page_of(request, rows, by="-pk")
        return listing(request, "keys", [documents.key(one) for one in page], following)


class KeyDetail(AccessView):
    """One API key."""

    @schema.read_key
    def get(self, request: Request, project: str, selector: str) -> Response:
        """A key, by its selector: the part of the token that is no secret."""
        rows = selectors.keys_of(project_of(request, project))
        found = rows.filter(selector=selector).first()
        if found is None:
            raise Http404
        return Response(documents.key(found))
