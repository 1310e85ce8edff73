"""The access page: who may do what in which environment, and why."""

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from portal.access import overview, selectors
from portal.access.models import Environment, User
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib.web.pages import render_page


def matrix_context(scope: Scope) -> dict[str, object]:
    return {
        "scope": scope,
        "environments": scope.project.environments.all(),
        "lines": overview.matrix_of(scope.project),
        "tab": "matrix",
    }


@require_safe
@project_page(Permission.FLAG_VIEW)
def show_matrix(request: HttpRequest, scope: Scope) -> HttpResponse:
    return render_page(request, "access/matrix.html", "access/_matrix.html", matrix_context(scope))


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
