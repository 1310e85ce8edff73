from dataclasses import dataclass

from django.db.models import Q
from django.utils.translation import gettext as _

from portal.access import authority, selectors
from portal.access.models import ActionRule, Environment, Project, User
from portal.access.overview.people import names_of
from portal.access.permissions import READS, RESERVABLE, Holdings, Permission

# These are asked about the project as a whole: a role in one environment does not bring them.
WHOLE_PROJECT = frozenset(
    {Permission.MEMBER_MANAGE, Permission.AUDIT_EXPORT, Permission.INCIDENT_MANAGE}
)


@dataclass(frozen=True, slots=True)
class Explanation:
    permission: Permission
    held: bool
    reasons: list[str]


@dataclass(frozen=True, slots=True)
class _Source:
    """Something that was given: a role or a group, where it counts, and in whose name."""

    name: str
    environment: int | None
    words: str


def explain(user: User, project: Project, environment: Environment) -> list[Explanation]:
    """What a person may do in an environment and why, for every permission."""
    holdings = authority.holdings_of(user, project)
    here, whole = holdings.in_environment(environment.pk), holdings.in_project()
    if holdings.unlimited or not user.is_active:
        words = _("site administrator") if user.is_active else _("the account is deactivated")
        return [Explanation(one, holdings.unlimited, [words]) for one in Permission]
    because = _Because(holdings, environment, _sources(user, project), names_of(project))
    found = []
    for permission in Permission:
        held = permission in (whole if permission in WHOLE_PROJECT else here | (whole & READS))
        found.append(Explanation(permission, held, because.of(permission, held=held)))
    return found


@dataclass(frozen=True, slots=True)
class _Because:
    holdings: Holdings
    environment: Environment
    sources: list[_Source]
    names: dict[str, str]

    def of(self, permission: Permission, *, held: bool) -> list[str]:
        reserved = self.holdings.rules.get((self.environment.pk, permission))
        if reserved is not None:
            return self._of_rule(reserved)
        giving = [one for one in self.sources if self._gives(one, permission)]
        if giving and not held:
            return [_("only in some environments; this takes all of them")]
        return [one.words for one in giving]

    def _gives(self, source: _Source, permission: Permission) -> bool:
        counts = self._counts(source) or permission in READS | WHOLE_PROJECT
        return counts and permission in self.holdings.roles.get(source.name, frozenset())

    def _counts(self, source: _Source) -> bool:
        return source.environment in (None, self.environment.pk)

    def _of_rule(self, reserved: frozenset[str]) -> list[str]:
        matching = [one for one in self.sources if one.name in reserved and self._counts(one)]
        if matching:
            return [_("reserved for: {source}").format(source=one.words) for one in matching]
        listed = ", ".join(sorted(self.names.get(name, name) for name in reserved))
        return [_("reserved for {names}").format(names=listed or _("nobody"))]


def _sources(user: User, project: Project) -> list[_Source]:
    """What a person was given by name and through groups, and the groups themselves."""
    names = names_of(project)
    grants = project.grants.filter(Q(user=user) | Q(group__members=user))
    found = []
    for grant in grants.select_related("environment", "group"):
        place = grant.environment.name if grant.environment else _("all environments")
        words = f"{names.get(grant.role, grant.role)} · {place}"
        if grant.group:
            words = _("{role}, through group {group}").format(role=words, group=grant.group.name)
        found.append(_Source(grant.role, grant.environment_id, words))
    groups = project.groups.filter(members=user)
    return found + [
        _Source(group.key, None, _("group {name}").format(name=group.name)) for group in groups
    ]


# Which roles and groups may do what in which environment.


# What moves a version to people stands first; the rest as permissions are listed anyway.
_FIRST = (Permission.RELEASE_DEPLOY, Permission.RELEASE_ROLLBACK)


@dataclass(frozen=True, slots=True)
class Cell:
    """Who may do something in an environment; ``people`` counts the members who may today."""

    environment: Environment
    names: list[str]
    reserved: bool
    people: int


@dataclass(frozen=True, slots=True)
class Line:
    permission: Permission
    cells: list[Cell]


def matrix_of(project: Project) -> list[Line]:
    """Every permission that an environment can reserve, deploying and rolling back first."""
    environments = list(project.environments.all())
    table, names = authority.role_table(project), names_of(project)
    rules = {
        (rule.environment_id, rule.permission): rule.roles
        for rule in ActionRule.objects.filter(environment__project=project)
    }
    counted = _count(project, environments)

    def cell(permission: Permission, environment: Environment) -> Cell:
        reserved = rules.get((environment.pk, permission))
        keys = [key for key, held in table.items() if permission in held]
        shown = [names.get(key, key) for key in (keys if reserved is None else reserved)]
        people = counted.get((permission, environment.pk), 0)
        return Cell(environment, shown, reserved is not None, people)

    return [Line(one, [cell(one, place) for place in environments]) for one in in_order()]


def in_order() -> list[Permission]:
    return [*_FIRST, *(one for one in Permission if one in RESERVABLE and one not in _FIRST)]


def _count(project: Project, environments: list[Environment]) -> dict[tuple[str, int], int]:
    people = list(selectors.members_of(project).filter(is_active=True))
    counted: dict[tuple[str, int], int] = {}
    for holdings in authority.holdings_of_all(people, project).values():
        for environment in environments:
            for permission in holdings.in_environment(environment.pk):
                place = (str(permission), environment.pk)
                counted[place] = counted.get(place, 0) + 1
    return counted
