"""Access as people look at it: who has what through what, who may do what where, and why."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.db.models import Q
from django.utils.formats import date_format
from django.utils.translation import gettext as _, gettext_noop

from portal.access import authority, selectors
from portal.access.models import (
    ActionRule,
    ApproverConfirmation,
    CustomRole,
    Environment,
    Grant,
    Group,
    Project,
    Sponsorship,
    SponsorshipKind,
    User,
)
from portal.access.permissions import READS, RESERVABLE, BuiltinRole, Permission, RoleAssignments


@dataclass(frozen=True, slots=True)
class HeldRole:
    grant: Grant
    label: str
    group: Group | None

    @property
    def place(self) -> str:
        return self.grant.environment.name if self.grant.environment else ""


@dataclass(frozen=True, slots=True)
class Member:
    user: User
    roles: list[HeldRole]


def members_with_roles(project: Project) -> list[Member]:
    people = {user.pk: Member(user, []) for user in selectors.members_of(project)}
    members = _members_of_groups(project)
    for held in sorted(_held(project), key=lambda one: one.group is not None):
        holders = members[held.group.pk] if held.group else [held.grant.user_id or 0]
        for holder in holders:
            people[holder].roles.append(held)
    return list(people.values())


def group_roles(project: Project) -> list[tuple[Group, list[User], list[HeldRole]]]:
    held = [one for one in _held(project) if one.group]
    return [
        (
            group,
            sorted(group.members.all(), key=lambda user: user.username),
            [one for one in held if one.grant.group_id == group.pk],
        )
        for group in project.groups.prefetch_related("members")
    ]


def _held(project: Project) -> Iterable[HeldRole]:
    labels = role_labels(project)
    grants = project.grants.select_related("environment", "group", "user")
    return [HeldRole(one, labels.get(one.role, one.role), one.group) for one in grants]


def _members_of_groups(project: Project) -> dict[int, list[int]]:
    members: dict[int, list[int]] = {pk: [] for pk in project.groups.values_list("pk", flat=True)}
    found = Group.members.through.objects.filter(group__project=project)
    for group_id, user_id in found.values_list("group_id", "user_id"):
        members[group_id].append(user_id)
    return members


# The roles of a project, and what people call them.


@dataclass(frozen=True, slots=True)
class RoleLine:
    """A role; ``custom`` is its row where the project made it, ``given`` how many grants it has."""

    key: str
    label: str
    permissions: frozenset[Permission]
    custom: CustomRole | None
    given: int


def role_labels(project: Project) -> dict[str, str]:
    """What people call each role, by its key, the built-in ones first."""
    builtin = {str(key): str(label) for key, label in BuiltinRole.choices}
    return builtin | dict(project.custom_roles.values_list("key", "name"))


def names_of(project: Project) -> dict[str, str]:
    return role_labels(project) | dict(project.groups.values_list("key", "name"))


def roles_of(project: Project) -> list[RoleLine]:
    table, labels = authority.role_table(project), role_labels(project)
    custom = {role.key: role for role in project.custom_roles.all()}
    given = Counter(project.grants.values_list("role", flat=True))
    return [RoleLine(key, labels[key], table[key], custom.get(key), given[key]) for key in labels]


# Who gave whom what lately, in words.


_GAVE = {
    SponsorshipKind.ACCOUNT: gettext_noop("{giver} created the account of {person} on {date}"),
    SponsorshipKind.INVITATION: gettext_noop("{giver} invited {person} on {date}"),
    SponsorshipKind.ACTIVATION: gettext_noop("{giver} reactivated {person} on {date}"),
    SponsorshipKind.ROLE: gettext_noop("{giver} gave {person} the role {name} on {date}"),
    SponsorshipKind.GROUP: gettext_noop("{giver} added {person} to the group {name} on {date}"),
    SponsorshipKind.PASSWORD: gettext_noop("{giver} reset the password of {person} on {date}"),
    SponsorshipKind.SECOND_FACTOR: gettext_noop(
        "{giver} reset the second factor of {person} on {date}"
    ),
}


def sponsorship_words(row: Sponsorship, names: Mapping[str, str]) -> str:
    """Such as “alice gave bob the role senior developer on 12 Nov 2026”; ``names`` by key."""
    return _(_GAVE[SponsorshipKind(row.kind)]).format(
        giver=row.sponsor.username,
        person=row.person.username,
        name=names.get(row.name, row.name),
        date=day(row.at),
    )


def day(moment: datetime) -> str:
    return date_format(moment.astimezone(UTC), "j M Y")


@dataclass(slots=True)
class Sponsored:
    """What a member who may approve was given lately, and who confirmed them since.

    ``by_reader`` is whether the reader is that member, or gave them something of it.
    """

    sentences: list[str] = field(default_factory=list)
    confirmed_by: list[str] = field(default_factory=list)
    by_reader: bool = False


def sponsored_members(project: Project, reader: User) -> dict[int, Sponsored]:
    """Those who may approve somewhere and were given something lately, by their ids."""
    rows = list(selectors.recent_sponsorships(project))
    voting = _who_may_approve({row.person for row in rows}, project)
    names, found, latest = names_of(project), dict[int, Sponsored](), dict[int, datetime]()
    for row in rows:
        if row.person_id in voting:
            one = found.setdefault(row.person_id, Sponsored(by_reader=row.person_id == reader.pk))
            one.sentences.append(sponsorship_words(row, names))
            one.by_reader = one.by_reader or row.sponsor_id == reader.pk
            latest[row.person_id] = row.at
    words = ApproverConfirmation.objects.filter(project=project, person__in=found)
    for word in words.select_related("confirmed_by"):
        if word.at >= latest[word.person_id]:
            found[word.person_id].confirmed_by.append(word.confirmed_by.username)
    return found


def _who_may_approve(people: Iterable[User], project: Project) -> set[int]:
    places = list(project.environments.values_list("pk", flat=True))
    held = authority.role_assignments_of_all(people, project)
    return {
        pk
        for pk, one in held.items()
        if any(Permission.CHANGE_REQUEST_APPROVE in one.in_environment(place) for place in places)
    }


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
    name: str
    environment: int | None
    words: str


def explain(user: User, project: Project, environment: Environment) -> list[Explanation]:
    assignments = authority.role_assignments_of(user, project)
    here, whole = assignments.in_environment(environment.pk), assignments.in_project()
    if assignments.unlimited or not user.is_active:
        words = _("site administrator") if user.is_active else _("the account is deactivated")
        return [Explanation(one, assignments.unlimited, [words]) for one in Permission]
    because = _Because(assignments, environment, _sources(user, project), names_of(project))
    found = []
    for permission in Permission:
        held = permission in (whole if permission in WHOLE_PROJECT else here | (whole & READS))
        found.append(Explanation(permission, held, because.of(permission, held=held)))
    return found


@dataclass(frozen=True, slots=True)
class _Because:
    assignments: RoleAssignments
    environment: Environment
    sources: list[_Source]
    names: dict[str, str]

    def of(self, permission: Permission, *, held: bool) -> list[str]:
        reserved = self.assignments.rules.get((self.environment.pk, permission))
        if reserved is not None:
            return self._of_rule(reserved)
        giving = [one for one in self.sources if self._gives(one, permission)]
        if giving and not held:
            return [_("only in some environments; this takes all of them")]
        return [one.words for one in giving]

    def _gives(self, source: _Source, permission: Permission) -> bool:
        counts = self._counts(source) or permission in READS | WHOLE_PROJECT
        return counts and permission in self.assignments.roles.get(source.name, frozenset())

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
class PermissionRow:
    permission: Permission
    cells: list[Cell]


def matrix_of(project: Project) -> list[PermissionRow]:
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

    return [PermissionRow(one, [cell(one, place) for place in environments]) for one in in_order()]


def in_order() -> list[Permission]:
    return [*_FIRST, *(one for one in Permission if one in RESERVABLE and one not in _FIRST)]


def _count(project: Project, environments: list[Environment]) -> dict[tuple[str, int], int]:
    people = list(selectors.members_of(project).filter(is_active=True))
    counted: dict[tuple[str, int], int] = {}
    for assignments in authority.role_assignments_of_all(people, project).values():
        for environment in environments:
            for permission in assignments.in_environment(environment.pk):
                place = (str(permission), environment.pk)
                counted[place] = counted.get(place, 0) + 1
    return counted
