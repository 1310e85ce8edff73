"""What the frame around every page needs."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse

from portal.access.models import Project
from portal.access.web.scope import Scope
from portal.lib import subjects
from portal.lib.subjects import Menu


@dataclass(frozen=True, slots=True)
class Lead:
    """An entry of the navigation; ``is_active`` where the reader is somewhere below it."""

    menu: Menu
    address: str
    count: str
    is_active: bool


def navigation(request: HttpRequest) -> dict[str, object]:
    """The projects someone can switch to, where they are, and where that leads."""
    if getattr(request, "database_away", False):
        return {}
    if not getattr(request, "user", None) or not request.user.is_authenticated:
        return {}
    scope, menu = getattr(request, "scope", None), subjects.menu()
    return {
        "navigation_projects": Project.objects.visible_to(request.user),
        "scope": scope,
        "leads": _leads(scope, menu, request.path) if scope else (),
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
