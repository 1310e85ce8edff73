from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from portal.access import overview, selectors
from portal.access.models import Environment, User
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib.web.pages import render_page


def matrix_context(scope: Scope) -> dict[str, object]:
    return {
        "scope": scope,
        "environments": scope.environments,
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
    people = selectors.members_of(scope.project)
    person = _person(request.GET.get("person", ""), people)
    environment = _environment(request.GET.get("environment", ""), scope)
    lines = []
    if person and environment:
        lines = overview.explain(person, scope.project, environment)
    context = {
        "scope": scope,
        "people": people,
        "environments": scope.environments,
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
    environments = scope.environments
    production = [one for one in environments if one.is_production]
    return next(iter(production or environments), None)


# What each permission means, in the groups and words in which people choose them.


P = Permission
Meaning = tuple[P, str | Promise]

MEANINGS: tuple[tuple[str | Promise, tuple[Meaning, ...]], ...] = (
    (
        _("Flags and segments"),
        (
            (P.FLAG_VIEW, _("Look at flags, environments, members and keys.")),
            (P.FLAG_EDIT, _("Create flags and change their variants and targeting.")),
            (P.FLAG_TOGGLE, _("Turn flags on and off, and nothing else about them.")),
            (P.FLAG_ARCHIVE, _("Archive flags that are no longer used.")),
            (P.SEGMENT_EDIT, _("Change groups of users that flags refer to.")),
        ),
    ),
    (
        _("Changes that need approval"),
        (
            (P.CHANGE_REQUEST_CREATE, _("Propose a change for others to approve.")),
            (P.CHANGE_REQUEST_APPROVE, _("Approve or reject what others propose.")),
            (P.CHANGE_REQUEST_APPLY, _("Carry out a change that was approved.")),
        ),
    ),
    (
        _("Releases"),
        (
            (P.RELEASE_CREATE, _("Plan a release.")),
            (P.RELEASE_DEPLOY, _("Start a release and take it further.")),
            (P.RELEASE_ROLLBACK, _("Stop a release and go back to what ran before.")),
            (P.RELEASE_APPROVE, _("Approve the gates of a release.")),
        ),
    ),
    (
        _("Environments and emergencies"),
        (
            (P.ENVIRONMENT_CONFIGURE, _("Add environments and decide what they reserve for whom.")),
            (P.FREEZE_OVERRIDE, _("Change things although a freeze forbids it.")),
            (P.INCIDENT_MANAGE, _("Open incidents and close them.")),
        ),
    ),
    (
        _("People, keys and history"),
        (
            (P.MEMBER_MANAGE, _("Invite people, and give roles and take them away.")),
            (P.KEY_MANAGE, _("Create and revoke API keys.")),
            (P.AUDIT_VIEW, _("Read the history of everything that happened.")),
            (P.AUDIT_EXPORT, _("Export the history and the reports as files.")),
        ),
    ),
)
