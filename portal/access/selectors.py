"""Reading projects, members and keys, always starting from what someone may see."""

from datetime import timedelta
from typing import Final, cast

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from portal.access import authority
from portal.access.models import ApiKey, Environment, Project, Sponsorship, User
from portal.access.permissions import Permission
from portal.lib import clock

# The longest that a policy may count people as one with who gave them access.
MOST_DAYS: Final = 90


def projects_of(user: User | AnonymousUser) -> QuerySet[Project]:
    """The projects someone may see, with their environments."""
    visible = Project.objects.visible_to(cast(User, user))
    return visible.prefetch_related("environments")


def keys_of(project: Project) -> QuerySet[ApiKey]:
    """A project's API keys, the usable ones first, newest first."""
    return (
        ApiKey.objects.filter(environment__project=project)
        .select_related("environment", "creator", "evidence_confirmed_by")
        .order_by("environment__position", "revoked_at", "-created_at", "-id")
    )


def members_of(project: Project) -> QuerySet[User]:
    """The people who were given something in a project, by name or through a group."""
    given = Q(grants__project=project) | Q(project_groups__grants__project=project)
    return User.objects.filter(pk__in=User.objects.filter(given).values("pk")).order_by("username")


def holders_of(
    project: Project, permission: Permission, environment: Environment | None = None
) -> list[User]:
    """The members who hold a permission in an environment, or in the project as a whole.

    Site administrators, who may everything everywhere, are not among them unless they are members.
    """
    people = list(members_of(project).filter(is_active=True))
    holdings = authority.holdings_of_all(people, project)
    return [
        person
        for person in people
        if permission
        in (
            holdings[person.pk].in_environment(environment.pk)
            if environment
            else holdings[person.pk].in_project()
        )
    ]


def recent_sponsorships(project: Project) -> QuerySet[Sponsorship]:
    """What can still matter in a project, whatever its policies ask for."""
    since = clock.database_now() - timedelta(days=MOST_DAYS)
    found = Sponsorship.objects.filter(Q(project=None) | Q(project=project), at__gt=since)
    return found.select_related("sponsor", "person")
