"""Which roles and groups may do what in which environment."""

from dataclasses import dataclass

from portal.access import authority, selectors
from portal.access.models import ActionRule, Environment, Project
from portal.access.overview.roles import names_of
from portal.access.permissions import RESERVABLE, Permission

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
    """A permission, with a cell for each environment."""

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
    """The permissions that can be reserved, in the order of the matrix."""
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
