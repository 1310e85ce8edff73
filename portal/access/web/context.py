"""What the frame around every page needs."""

from typing import cast

from django.http import HttpRequest

from portal.access.models import Project, User


def navigation(request: HttpRequest) -> dict[str, object]:
    """The projects someone can switch to, and where they are."""
    if not getattr(request, "user", None) or not request.user.is_authenticated:
        return {}
    user = cast(User, request.user)
    return {
        "navigation_projects": Project.objects.visible_to(user),
        "scope": getattr(request, "scope", None),
    }
