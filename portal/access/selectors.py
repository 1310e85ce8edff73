"""Reading projects, members and keys, always starting from what someone may see."""

from typing import cast

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from portal.access.models import ApiKey, Membership, Project, User


def projects_of(user: User | AnonymousUser) -> QuerySet[Project]:
    """The projects someone may see, with their environments."""
    visible = Project.objects.visible_to(cast(User, user))
    return visible.prefetch_related("environments")


def keys_of(project: Project) -> QuerySet[ApiKey]:
    """A project's API keys, the usable ones first, newest first."""
    return (
        ApiKey.objects.filter(environment__project=project)
        .select_related("environment")
        .order_by("environment__position", "revoked_at", "-created_at", "-id")
    )


def members_of(project: Project) -> QuerySet[Membership]:
    """A project's members by name."""
    return project.memberships.select_related("user").order_by("user__username")
