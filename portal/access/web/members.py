"""The page of members: who belongs to a project, and as what."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.access import authority, selectors, services
from portal.access.models import User
from portal.access.permissions import BuiltinRole, Permission
from portal.access.signin import needs_fresh_sign_in
from portal.access.web.scope import Scope, project_page
from portal.lib import clock
from portal.lib.errors import Invalid
from portal.lib.htmx import render_page


def _context(scope: Scope) -> dict[str, object]:
    roles = _roles(scope)
    table = authority.role_table(scope.project)
    return {
        "scope": scope,
        "members": [_member(scope, user) for user in selectors.members_of(scope.project)],
        "roles": roles,
        "matrix": [
            (permission, [(role, permission in table[role]) for role, _label in roles])
            for permission in Permission
        ],
    }


def _roles(scope: Scope) -> list[tuple[str, str]]:
    custom = scope.project.custom_roles.values_list("key", "name")
    builtin = [(str(key), str(label)) for key, label in BuiltinRole.choices]
    return [*builtin, *custom]


def _member(scope: Scope, user: User) -> dict[str, object]:
    grant = user.grants.filter(project=scope.project).first()
    return {"user": user, "user_id": user.pk, "role": grant.role if grant else ""}


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_members(request: HttpRequest, scope: Scope) -> HttpResponse:
    return render_page(request, "access/members.html", "access/_members.html", _context(scope))


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.MEMBER_MANAGE)
@needs_fresh_sign_in
def add_member(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Add someone; a new person gets a password that is shown once."""
    context: dict[str, object] = {"scope": scope, "roles": _roles(scope), "values": request.POST}
    if request.method != "POST":
        return render(request, "access/_member_dialog.html", context)
    try:
        added = services.add_member(
            project=scope.project,
            username=request.POST.get("username", "").strip(),
            role=request.POST.get("role", ""),
            actor=scope.actor,
            now=clock.now(),
        )
    except Invalid as error:
        context["errors"] = error.problems
        return render(request, "access/_member_dialog.html", context, status=422)
    return render(request, "access/_member_added.html", _context(scope) | {"added": added})


@require_POST
@project_page(Permission.MEMBER_MANAGE)
def change_role(request: HttpRequest, scope: Scope, user_id: int) -> HttpResponse:
    user = get_object_or_404(selectors.members_of(scope.project), pk=user_id)
    role = request.POST.get("role", "")
    services.set_role(
        project=scope.project, user=user, role=role, actor=scope.actor, now=clock.now()
    )
    notice = _("{person} is now {role}.").format(person=user.username, role=role)
    return render(request, "access/_members_changed.html", _context(scope) | {"notice": notice})


@require_POST
@project_page(Permission.MEMBER_MANAGE)
def remove_member(request: HttpRequest, scope: Scope, user_id: int) -> HttpResponse:
    user = get_object_or_404(selectors.members_of(scope.project), pk=user_id)
    services.remove_member(project=scope.project, user=user, actor=scope.actor)
    notice = _("{person} is no longer a member.").format(person=user.username)
    return render(request, "access/_members_changed.html", _context(scope) | {"notice": notice})
