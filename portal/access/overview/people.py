"""The members of a project with all that they were given."""

from collections.abc import Iterable
from dataclasses import dataclass

from portal.access import selectors
from portal.access.models import Grant, Group, Project, User
from portal.access.overview.roles import role_labels


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A role that somebody has; ``group`` is what it comes through, None where given by name."""

    grant: Grant
    label: str
    group: Group | None

    @property
    def place(self) -> str:
        """The name of the environment that it counts in; empty for all."""
        return self.grant.environment.name if self.grant.environment else ""


@dataclass(frozen=True, slots=True)
class Member:
    """A person of a project."""

    user: User
    roles: list[HeldRole]


def members_with_roles(project: Project) -> list[Member]:
    """The members by name, each with what they were given by name first, then through groups."""
    people = {user.pk: Member(user, []) for user in selectors.members_of(project)}
    members = _members_of_groups(project)
    for held in sorted(_held(project), key=lambda one: one.group is not None):
        holders = members[held.group.pk] if held.group else [held.grant.user_id or 0]
        for holder in holders:
            people[holder].roles.append(held)
    return list(people.values())


def group_roles(project: Project) -> list[tuple[Group, list[User], list[HeldRole]]]:
    """The groups of a project by name, with their members and what they were given."""
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
