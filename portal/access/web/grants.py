"""Giving roles to people and groups and taking them away, from the page of either."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from portal.access import overview, selectors, services
from portal.access.models import Group, User
from portal.access.permissions import Permission
from portal.access.signin import needs_fresh_sign_in
from portal.access.web.groups import groups_context
from portal.access.web.members import members_context, role_choices
from portal.access.web.replies import replace_part
from portal.access.web.scope import Scope, project_page
from portal.lib.errors import Invalid
from portal.lib.intent import Intent


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.MEMBER_MANAGE)
@needs_fresh_sign_in
def give_to_member(request: HttpRequest, scope: Scope, user_id: int) -> HttpResponse:
    """Give a member another role."""
    user = get_object_or_404(selectors.members_of(scope.project), pk=user_id)
    address = reverse("grant-give", args=[scope.project.key, user.pk])
    return _give(request, scope, user, address)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.MEMBER_MANAGE)
@needs_fresh_sign_in
def give_to_group(request: HttpRequest, scope: Scope, group: str) -> HttpResponse:
    """Give a group another role."""
    found = get_object_or_404(scope.project.groups, key=group)
    address = reverse("group-grant-give", args=[scope.project.key, found.key])
    return _give(request, scope, found, address)


@require_POST
@project_page(Permission.MEMBER_MANAGE)
def revoke(request: HttpRequest, scope: Scope, grant_id: int) -> HttpResponse:
    """Take a role away from whoever has it."""
    grants = scope.project.grants.select_related("user", "group", "environment", "project")
    grant = get_object_or_404(grants, pk=grant_id)
    services.revoke_grant(grant=grant, intent=Intent(scope.actor))
    role = overview.role_labels(scope.project).get(grant.role, grant.role)
    holder: User | Group | None = grant.user or grant.group
    notice = _("{name} no longer has the role {role}.").format(name=_name(holder), role=role)
    return _show(request, scope, holder, notice)


def _give(request: HttpRequest, scope: Scope, to: User | Group, address: str) -> HttpResponse:
    context = role_choices(scope, request) | {"to": _name(to), "address": address}
    if request.method != "POST":
        return render(request, "access/_grant_dialog.html", context)
    try:
        grant = services.grant_role(
            project=scope.project,
            to=to,
            role=request.POST.get("role", ""),
            environment=scope.one_or_all(request.POST.get("environment", "")),
            intent=Intent(scope.actor),
        )
    except Invalid as error:
        context["errors"] = error.problems
        return render(request, "access/_grant_dialog.html", context, status=422)
    role = overview.role_labels(scope.project)[grant.role]
    notice = _("{name} now has the role {role}.").format(name=_name(to), role=role)
    return _show(request, scope, to, notice)


def _show(
    request: HttpRequest, scope: Scope, holder: User | Group | None, notice: str
) -> HttpResponse:
    """The list that the holder stands in."""
    if isinstance(holder, Group):
        context = groups_context(scope) | {"notice": notice}
        return replace_part(request, "groups", "access/_groups.html", context)
    context = members_context(scope) | {"notice": notice}
    return replace_part(request, "members", "access/_members.html", context)


def _name(holder: User | Group | None) -> str:
    return holder.name if isinstance(holder, Group) else str(holder and holder.username)
