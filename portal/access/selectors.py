from datetime import timedelta
from typing import Final, cast

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from portal.access import authority
from portal.access.models import ApiKey, Environment, Project, Sponsorship, User
from portal.access.permissions import Permission
from portal.lib import clock, lookalikes

# The longest that a policy may count people as one with who gave them access.
MOST_DAYS: Final = 90


def projects_of(user: User | AnonymousUser) -> QuerySet[Project]:
    return Project.objects.visible_to(cast(User, user)).prefetch_related("environments")


def keys_of(project: Project) -> QuerySet[ApiKey]:
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
    assignments = authority.role_assignments_of_all(people, project)
    return [
        person
        for person in people
        if permission
        in (
            assignments[person.pk].in_environment(environment.pk)
            if environment
            else assignments[person.pk].in_project()
        )
    ]


def recent_sponsorships(project: Project) -> QuerySet[Sponsorship]:
    """What can still matter in a project, whatever its policies ask for."""
    since = clock.database_now() - timedelta(days=MOST_DAYS)
    found = Sponsorship.objects.filter(Q(project=None) | Q(project=project), at__gt=since)
    return found.select_related("sponsor", "person")


def account_named(typed: str) -> User | None:
    """Whose account somebody means: the one of exactly this name, else the one taken for it."""
    typed = typed.replace("\0", "\ufffd")  # PostgreSQL cannot even look for it
    exact = User.objects.filter(username=typed).first()
    return exact or User.objects.filter(name_key=lookalikes.keys_of(typed)[0]).first()


def lookalike_of(username: str) -> User | None:
    key, look = lookalikes.keys_of(username)
    return User.objects.filter(Q(name_key=key) | Q(name_look=look)).first()


def clashing_accounts() -> list[tuple[User, list[User]]]:
    """Accounts in use whose names can be taken for those of others in use, which come with each.

    Only accounts from before names were compared can: those that did not get a key.
    """
    active = User.objects.filter(is_active=True)
    late = list(active.filter(Q(name_key=None) | Q(name_look=None)).order_by("username"))
    keys = {user: lookalikes.keys_of(user.username) for user in late}
    folds, looks = zip(*keys.values(), strict=True) if keys else ((), ())
    early = active.filter(Q(name_key__in=folds) | Q(name_look__in=looks))
    others = {user: lookalikes.keys_of(user.username) for user in early} | keys
    found = {
        user: [
            other
            for other, theirs in others.items()
            if other != user and any(a == b for a, b in zip(mine, theirs, strict=True))
        ]
        for user, mine in keys.items()
    }
    return [(user, alike) for user, alike in found.items() if alike]
