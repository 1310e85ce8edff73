from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from portal.access import authority
from portal.access.models import Environment, Project, User
from portal.access.permissions import READS, Permission, RoleAssignments
from portal.access.signin.sessions import actor_of
from portal.lib import subjects
from portal.lib.errors import Forbidden, Invalid
from portal.lib.journal import Actor
from portal.lib.subjects import Menu

P = ParamSpec("P")


@dataclass(frozen=True)
class Scope:
    """A person in a project. Templates ask ``scope.may`` what to offer, services decide again."""

    user: User
    actor: Actor
    project: Project
    assignments: RoleAssignments
    about: str | None
    """The key of the environment that the page is about, if it is about one."""

    @cached_property
    def environments(self) -> tuple[Environment, ...]:
        return tuple(self.project.environments.all())

    @cached_property
    def permissions(self) -> frozenset[Permission]:
        """What they may do there; on a page about the project, in all of it. Raises Http404."""
        permissions = self.assignments.in_project()
        if self.about is None:
            return permissions
        there = self.assignments.in_environment(self.environment(self.about).pk)
        return there | (permissions & READS)

    @cached_property
    def may(self) -> dict[str, bool]:
        """Permission names with underscores -> held or not: ``scope.may.flag_edit``.

        In the environment that the page is about; on a page about the project, in all of it.
        """
        return {p.value.replace(".", "_"): p in self.permissions for p in Permission}

    def allows(self, permission: str, environment: Environment) -> bool:
        return Permission(permission) in self.assignments.in_environment(environment.pk)

    def one_or_all(self, key: str) -> Environment | None:
        return self.environment(key) if key else None

    def environment(self, key: str) -> Environment:
        for environment in self.environments:
            if environment.key == key:
                return environment
        raise Http404(key)


def scope_of(request: HttpRequest, project_key: str, environment_key: str | None = None) -> Scope:
    """The person in that project; 404 where they are no member, as if it did not exist."""
    user = cast(User, request.user)
    project = get_object_or_404(Project.objects.visible_to(user), key=project_key)
    assignments = authority.role_assignments_of(user, project)
    return Scope(user, actor_of(request), project, assignments, environment_key)


def refuse_nul(request: HttpRequest) -> None:
    """Raise Http404 or Invalid for NUL characters, which PostgreSQL cannot keep."""
    if "\0" in request.path:
        raise Http404(request.path)
    texts = [*request.GET.values(), *request.POST.values()]
    if any("\0" in str(text) for text in texts):
        raise Invalid({"": _("Remove the NUL characters; nothing was saved.")})


def project_page(
    permission: Permission,
) -> Callable[
    [Callable[Concatenate[HttpRequest, Scope, P], HttpResponse]], Callable[..., HttpResponse]
]:
    """A view of a project, for those who hold ``permission`` there. Passes the scope on."""

    def decorate(
        view: Callable[Concatenate[HttpRequest, Scope, P], HttpResponse],
    ) -> Callable[..., HttpResponse]:
        @wraps(view)
        def guarded(request: HttpRequest, project: str, **kwargs: Any) -> HttpResponse:
            refuse_nul(request)
            scope = scope_of(request, project, kwargs.get("environment"))
            if permission not in scope.permissions:
                raise PermissionDenied(str(Forbidden(permission)))
            request.scope = scope  # type: ignore[attr-defined]  # for the navigation
            return view(request, scope, **kwargs)  # type: ignore[call-arg]

        return guarded

    return decorate


# What the frame around every page needs.


@dataclass(frozen=True, slots=True)
class Lead:
    menu: Menu
    address: str
    count: str
    is_active: bool


def navigation(request: HttpRequest) -> dict[str, object]:
    if getattr(request, "database_away", False):
        return {}
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return {}
    scope, menu = getattr(request, "scope", None), subjects.menu()
    return {
        # Parts of pages are drawn without the frame, which alone asks for these.
        "navigation_projects": SimpleLazyObject(lambda: Project.objects.visible_to(user)),
        "leads": SimpleLazyObject(lambda: _leads(scope, menu, request.path) if scope else []),
        "scope": scope,
        "home_page": menu[0].page,
    }


def _leads(scope: Scope, menu: Sequence[Menu], path: str) -> list[Lead]:
    key, may, leads = scope.project.key, scope.may, []
    for one in menu:
        if one.permission and not may[one.permission]:
            continue
        address = reverse(one.page, args=[key])
        below = path.startswith(address) or bool(one.under and one.under in path)
        leads.append(Lead(one, address, one.count and reverse(one.count, args=[key]), below))
    return leads
