"""The roles of a project, and what people call them."""

from collections import Counter
from dataclasses import dataclass

from portal.access import authority
from portal.access.models import CustomRole, Project
from portal.access.permissions import BuiltinRole, Permission


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
    """What people call each role and group, by its key."""
    return role_labels(project) | dict(project.groups.values_list("key", "name"))


def roles_of(project: Project) -> list[RoleLine]:
    """Every role with what it permits and how often it is given."""
    table, labels = authority.role_table(project), role_labels(project)
    custom = {role.key: role for role in project.custom_roles.all()}
    given = Counter(project.grants.values_list("role", flat=True))
    return [RoleLine(key, labels[key], table[key], custom.get(key), given[key]) for key in labels]
