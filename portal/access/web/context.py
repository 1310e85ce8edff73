"""What the frame around every page needs."""

from django.http import HttpRequest

from portal.access.models import Project


def navigation(request: HttpRequest) -> dict[str, object]:
    """The projects someone can switch to, and where they are."""
    if getattr(request, "database_away", False):
        return {}
    if not getattr(request, "user", None) or not request.user.is_authenticated:
        return {}
    return {
        "navigation_projects": Project.objects.visible_to(request.user),
        "scope": getattr(request, "scope", None),
    }
