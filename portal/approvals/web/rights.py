from collections.abc import Iterable

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.access import overview, services as access
from portal.access.models import ActionRule, CustomRole
from portal.access.permissions import RESERVABLE, Permission
from portal.access.signin import needs_fresh_sign_in
from portal.access.web.matrix import MEANINGS, matrix_context
from portal.access.web.scope import Scope, project_page
from portal.approvals import services
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from portal.lib.web.pages import governed, render_page, replace_part

_DIALOG = "access/_role_dialog.html"


def _context(scope: Scope) -> dict[str, object]:
    roles = overview.roles_of(scope.project)
    matrix = [
        (title, [(one, [one in role.permissions for role in roles]) for one, _text in meanings])
        for title, meanings in MEANINGS
    ]
    return {"scope": scope, "roles": roles, "matrix": matrix, "tab": "roles"}


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_roles(request: HttpRequest, scope: Scope) -> HttpResponse:
    return render_page(request, "access/roles.html", "access/_roles.html", _context(scope))


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.MEMBER_MANAGE)
@needs_fresh_sign_in
def create_role(request: HttpRequest, scope: Scope) -> HttpResponse:
    context = _form(request, scope, None, [Permission.FLAG_VIEW, Permission.AUDIT_VIEW])

    def save() -> HttpResponse:
        role = access.create_role(
            project=scope.project,
            key=request.POST.get("key", "").strip(),
            name=request.POST.get("name", ""),
            permissions=request.POST.getlist("permissions"),
            intent=Intent(scope.actor),
        )
        return _changed(request, scope, _("Role {name} created.").format(name=role.name))

    return governed(request, _DIALOG, context, save)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.MEMBER_MANAGE)
@needs_fresh_sign_in
def edit_role(request: HttpRequest, scope: Scope, role: str) -> HttpResponse:
    found = _role(scope, role)

    def save() -> HttpResponse:
        saved = services.edit_role(
            role=found,
            name=request.POST.get("name", ""),
            permissions=request.POST.getlist("permissions"),
            intent=Intent(scope.actor),
        )
        return _changed(request, scope, _("Saved the role {name}.").format(name=saved.name))

    context = _form(request, scope, found, found.permissions)
    return governed(request, _DIALOG, context, save)


@require_POST
@project_page(Permission.MEMBER_MANAGE)
def delete_role(request: HttpRequest, scope: Scope, role: str) -> HttpResponse:
    found = _role(scope, role)
    access.delete_role(role=found, intent=Intent(scope.actor))
    return _changed(request, scope, _("The role {name} is gone.").format(name=found.name))


def _role(scope: Scope, key: str) -> CustomRole:
    return get_object_or_404(scope.project.custom_roles, key=key)


def _form(
    request: HttpRequest, scope: Scope, role: CustomRole | None, held: Iterable[str]
) -> dict[str, object]:
    return {
        "scope": scope,
        "role": role,
        "values": request.POST or {"name": role.name if role else ""},
        "ticked": set(request.POST.getlist("permissions") if request.POST else held),
        "meanings": MEANINGS,
    }


def _changed(request: HttpRequest, scope: Scope, notice: str) -> HttpResponse:
    return replace_part(request, "access/roles", _context(scope), notice)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.ENVIRONMENT_CONFIGURE)
@needs_fresh_sign_in
def edit_rule(
    request: HttpRequest, scope: Scope, environment: str, permission: str
) -> HttpResponse:
    place, wanted = scope.environment(environment), _reservable(permission)
    if request.method == "POST":
        names = request.POST.getlist("names") if request.POST.get("reserved") == "1" else None
    else:
        rule = ActionRule.objects.filter(environment=place, permission=wanted).first()
        names = rule.roles if rule else None
    context = {
        "scope": scope,
        "environment": place,
        "permission": wanted,
        "reserved": names is not None,
        "chosen": set(names or ()),
        "names": overview.names_of(scope.project).items(),
    }

    def save() -> HttpResponse:
        if names == []:
            raise Invalid({"roles": _("Choose at least one role or group, or open it again.")})
        services.reserve(
            environment=place, permission=wanted, names=names, intent=Intent(scope.actor)
        )
        return replace_part(request, "access/matrix", matrix_context(scope), _("Saved."))

    return governed(request, "access/_rule_dialog.html", context, save)


def _reservable(permission: str) -> Permission:
    if permission not in {str(one) for one in RESERVABLE}:
        raise Http404(permission)
    return Permission(permission)
