"""The access page: who may do what in which environment, and why."""

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portal.access import overview, selectors, services
from portal.access.models import ActionRule, Environment, User
from portal.access.permissions import RESERVABLE, Permission
from portal.access.signin import needs_fresh_sign_in
from portal.access.web.scope import Scope, project_page
from portal.lib.errors import Invalid
from portal.lib.intent import Intent
from portal.lib.web.pages import governed, render_page, replace_part


def _context(scope: Scope) -> dict[str, object]:
    return {
        "scope": scope,
        "environments": scope.project.environments.all(),
        "lines": overview.matrix_of(scope.project),
        "tab": "matrix",
    }


@require_safe
@project_page(Permission.FLAG_VIEW)
def show_matrix(request: HttpRequest, scope: Scope) -> HttpResponse:
    return render_page(request, "access/matrix.html", "access/_matrix.html", _context(scope))


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.ENVIRONMENT_CONFIGURE)
@needs_fresh_sign_in
def edit_rule(
    request: HttpRequest, scope: Scope, environment: str, permission: str
) -> HttpResponse:
    """Reserve a permission in an environment for roles and groups, or open it again."""
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
        return replace_part(request, "access/matrix", _context(scope), _("Saved."))

    return governed(request, "access/_rule_dialog.html", context, save)


@require_safe
@project_page(Permission.FLAG_VIEW)
def show_person(request: HttpRequest, scope: Scope) -> HttpResponse:
    """What one person may do in one environment, and through what."""
    people = selectors.members_of(scope.project)
    person = _person(request.GET.get("person", ""), people)
    environment = _environment(request.GET.get("environment", ""), scope)
    lines = []
    if person and environment:
        lines = overview.explain(person, scope.project, environment)
    context = {
        "scope": scope,
        "people": people,
        "environments": scope.project.environments.all(),
        "person": person,
        "environment": environment,
        "lines": lines,
        "tab": "person",
    }
    return render_page(request, "access/person.html", "access/_person.html", context)


def _person(name: str, people: QuerySet[User]) -> User | None:
    return get_object_or_404(people, username=name) if name else people.first()


def _environment(key: str, scope: Scope) -> Environment | None:
    if key:
        return scope.environment(key)
    environments = list(scope.project.environments.all())
    production = [one for one in environments if one.is_production]
    return next(iter(production or environments), None)


def _reservable(permission: str) -> Permission:
    if permission not in {str(one) for one in RESERVABLE}:
        raise Http404(permission)
    return Permission(permission)
