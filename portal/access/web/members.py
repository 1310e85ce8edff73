from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.access import overview, selectors, services
from portal.access.models import Group, User
from portal.access.permissions import Permission
from portal.access.signin import needs_fresh_sign_in
from portal.access.web.scope import Scope, project_page
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from portal.lib.web.pages import governed, render_page, replace_part


def members_context(scope: Scope) -> dict[str, object]:
    members = overview.members_with_roles(scope.project)
    given = overview.sponsored_members(scope.project, scope.user)
    may_confirm = any(
        scope.allows(Permission.CHANGE_REQUEST_APPROVE, place) for place in scope.environments
    )
    return {
        "scope": scope,
        "members": [(member, given.get(member.user.pk)) for member in members],
        "tab": "members",
        "may_confirm": may_confirm,
    }


def role_choices(scope: Scope, request: HttpRequest) -> dict[str, object]:
    return {
        "scope": scope,
        "roles": overview.role_labels(scope.project).items(),
        "environments": scope.environments,
        "values": request.POST,
    }


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_members(request: HttpRequest, scope: Scope) -> HttpResponse:
    context = members_context(scope)
    return render_page(request, "access/members.html", "access/_members.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.MEMBER_MANAGE)
@needs_fresh_sign_in
def add_member(request: HttpRequest, scope: Scope) -> HttpResponse:
    context = role_choices(scope, request)

    def save() -> HttpResponse:
        added = services.add_member(
            project=scope.project,
            username=request.POST.get("username", "").strip(),
            role=request.POST.get("role", ""),
            environment=scope.one_or_all(request.POST.get("environment", "")),
            intent=Intent(scope.actor),
        )
        shown = members_context(scope) | {"added": added}
        return render(request, "access/_member_added.html", shown)

    return governed(request, "access/_member_dialog.html", context, save)


@require_POST
@project_page(Permission.FLAG_VIEW)
def confirm_approver(request: HttpRequest, scope: Scope, user_id: int) -> HttpResponse:
    user = get_object_or_404(selectors.members_of(scope.project), pk=user_id)
    services.confirm_approver(project=scope.project, person=user, intent=Intent(scope.actor))
    notice = _("You confirmed {person}.").format(person=user.username)
    return replace_part(request, "access/members", members_context(scope), notice)


@require_POST
@project_page(Permission.MEMBER_MANAGE)
def remove_member(request: HttpRequest, scope: Scope, user_id: int) -> HttpResponse:
    user = get_object_or_404(selectors.members_of(scope.project), pk=user_id)
    services.remove_member(project=scope.project, user=user, intent=Intent(scope.actor))
    notice = _("{person} is no longer a member.").format(person=user.username)
    return replace_part(request, "access/members", members_context(scope), notice)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.MEMBER_MANAGE)
@needs_fresh_sign_in
def give_to_member(request: HttpRequest, scope: Scope, user_id: int) -> HttpResponse:
    user = get_object_or_404(selectors.members_of(scope.project), pk=user_id)
    return _give(request, scope, user, reverse("grant-give", args=[scope.project.key, user.pk]))


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.MEMBER_MANAGE)
@needs_fresh_sign_in
def give_to_group(request: HttpRequest, scope: Scope, group: str) -> HttpResponse:
    found = get_object_or_404(scope.project.groups, key=group)
    address = reverse("group-grant-give", args=[scope.project.key, found.key])
    return _give(request, scope, found, address)


@require_POST
@project_page(Permission.MEMBER_MANAGE)
def revoke(request: HttpRequest, scope: Scope, grant_id: int) -> HttpResponse:
    grants = scope.project.grants.select_related("user", "group", "environment", "project")
    grant = get_object_or_404(grants, pk=grant_id)
    services.revoke_grant(grant=grant, intent=Intent(scope.actor))
    role = overview.role_labels(scope.project).get(grant.role, grant.role)
    holder: User | Group | None = grant.user or grant.group
    notice = _("{name} no longer has the role {role}.").format(name=_name(holder), role=role)
    return _show(request, scope, holder, notice)


def _give(request: HttpRequest, scope: Scope, to: User | Group, address: str) -> HttpResponse:
    context = role_choices(scope, request) | {"to": _name(to), "address": address}

    def save() -> HttpResponse:
        grant = services.grant_role(
            project=scope.project,
            to=to,
            role=request.POST.get("role", ""),
            environment=scope.one_or_all(request.POST.get("environment", "")),
            intent=Intent(scope.actor),
        )
        role = overview.role_labels(scope.project)[grant.role]
        notice = _("{name} now has the role {role}.").format(name=_name(to), role=role)
        return _show(request, scope, to, notice)

    return governed(request, "access/_grant_dialog.html", context, save)


def _show(
    request: HttpRequest, scope: Scope, holder: User | Group | None, notice: str
) -> HttpResponse:
    if isinstance(holder, Group):
        return replace_part(request, "access/groups", groups_context(scope), notice)
    return replace_part(request, "access/members", members_context(scope), notice)


def _name(holder: User | Group | None) -> str:
    return holder.name if isinstance(holder, Group) else str(holder and holder.username)


# The page of groups: people who are given roles together.


def groups_context(scope: Scope) -> dict[str, object]:
    return {"scope": scope, "groups": overview.group_roles(scope.project), "tab": "groups"}


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_groups(request: HttpRequest, scope: Scope) -> HttpResponse:
    context = groups_context(scope)
    return render_page(request, "access/groups.html", "access/_groups.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.MEMBER_MANAGE)
def create_group(request: HttpRequest, scope: Scope) -> HttpResponse:
    context = {"scope": scope, "values": request.POST}

    def save() -> HttpResponse:
        group = services.create_group(
            project=scope.project,
            key=request.POST.get("key", "").strip(),
            name=request.POST.get("name", ""),
            intent=Intent(scope.actor),
        )
        return _changed(request, scope, _("Group {name} created.").format(name=group.name))

    return governed(request, "access/_group_dialog.html", context, save)


@require_POST
@project_page(Permission.MEMBER_MANAGE)
def delete_group(request: HttpRequest, scope: Scope, group: str) -> HttpResponse:
    found = _group(scope, group)
    services.delete_group(group=found, intent=Intent(scope.actor))
    return _changed(request, scope, _("The group {name} is gone.").format(name=found.name))


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.MEMBER_MANAGE)
@needs_fresh_sign_in
def add_to_group(request: HttpRequest, scope: Scope, group: str) -> HttpResponse:
    found = _group(scope, group)
    context = {"scope": scope, "group": found, "values": request.POST}

    def save() -> HttpResponse:
        username = request.POST.get("username", "").strip()
        user = User.objects.filter(username=username).first()
        if user is None:
            raise Invalid.of(
                "username",
                _("There is no user {name}. Invite them first, or add them as a member."),
                name=username,
            )
        services.add_to_group(group=found, user=user, intent=Intent(scope.actor))
        notice = _("{person} is in the group {name}.").format(person=username, name=found.name)
        return _changed(request, scope, notice)

    return governed(request, "access/_group_member_dialog.html", context, save)


@require_POST
@project_page(Permission.MEMBER_MANAGE)
def remove_from_group(request: HttpRequest, scope: Scope, group: str, user_id: int) -> HttpResponse:
    found = _group(scope, group)
    user = get_object_or_404(found.members, pk=user_id)
    services.remove_from_group(group=found, user=user, intent=Intent(scope.actor))
    notice = _("{person} is no longer in the group {name}.")
    return _changed(request, scope, notice.format(person=user.username, name=found.name))


def _group(scope: Scope, key: str) -> Group:
    return get_object_or_404(scope.project.groups, key=key)


def _changed(request: HttpRequest, scope: Scope, notice: str) -> HttpResponse:
    return replace_part(request, "access/groups", groups_context(scope), notice)
