"""Whose history a page shows: that of a project, or of the whole site."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.access.models import User
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, actor_of, project_page, refuse_nul
from portal.lib.journal import Actor

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the history is read; ``scope`` None is the whole site, for its administrators."""

    actor: Actor
    scope: Scope | None = None

    @property
    def project(self) -> str | None:
        return self.scope.project.key if self.scope else None

    @property
    def is_site(self) -> bool:
        return self.scope is None

    @property
    def may_export(self) -> bool:
        return self.scope is None or Permission.AUDIT_EXPORT in self.scope.permissions

    @property
    def list_address(self) -> str:
        return reverse("history", args=[self.project]) if self.scope else reverse("site-history")

    @property
    def export_address(self) -> str:
        if self.scope is None:
            return reverse("site-history-export")
        return reverse("history-export", args=[self.project])

    @property
    def production(self) -> str:
        """The environment behind “last 30 days of production”; empty where there is none."""
        if self.scope is None:
            return "production"
        found = (one.key for one in self.scope.environments if one.is_production)
        return next(found, "")


View = Callable[Concatenate[HttpRequest, Place, P], HttpResponseBase]


def history_of_project(permission: Permission) -> Callable[[View[P]], Callable[..., Any]]:
    """A view of one project's history, for those who hold ``permission`` there."""

    def decorate(view: View[P]) -> Callable[..., Any]:
        @project_page(permission)
        def placed(request: HttpRequest, scope: Scope, /, **kwargs: Any) -> HttpResponse:
            found = view(request, Place(scope.actor, scope), **kwargs)  # type: ignore[call-arg]
            return cast(HttpResponse, found)  # a stream where it is an export

        return placed

    return decorate


def history_of_site(view: View[P]) -> Callable[..., HttpResponseBase]:
    """A view of everything that happened, for site administrators."""

    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        refuse_nul(request)
        if not cast(User, request.user).is_superuser:
            raise PermissionDenied(_("The history of all projects is for site administrators."))
        return view(request, Place(actor_of(request)), **kwargs)  # type: ignore[call-arg]

    return guarded
