"""The page of groups: people who are given roles together."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.access import overview, services
from portal.access.models import Group, User
from portal.access.permissions import Permission
from portal.access.signin import needs_fresh_sign_in
from portal.access.web.scope import Scope, project_page
from portal.lib.errors import Invalid
from portal.lib.intent import Intent
from portal.lib.web.pages import governed, render_page, replace_part


def groups_context(scope: Scope) -> dict[str, object]:
    """What the list of groups shows."""
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
        return _changed(request, scope, _("The group {name} is there.").format(name=group.name))

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
    """Put somebody who has an account into a group."""
    found = _group(scope, group)
    context = {"scope": scope, "group": found, "values": request.POST}

    def save() -> HttpResponse:
        username = request.POST.get("username", "").strip()
        user = User.objects.filter(username=username).first()
        if user is None:
            text = _("Nobody is called {name}. Invite them first, or add them as a member.")
            raise Invalid({"username": text.format(name=username)})
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
