"""What follows from the roles that somebody holds. Pure: rows in, permissions out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from portal.access.permissions import EVERYTHING, READS, Permission

NOTHING: frozenset[Permission] = frozenset()


@dataclass(frozen=True, slots=True)
class Holdings:
    """Somebody's roles in one project, and the rules of its environments.

    ``given`` are pairs (name of a role or group, id of the environment it counts in; None for
    all). ``roles`` maps the names of roles to their permissions; a group has none of its own, but
    rules may name it. ``rules`` maps (environment id, permission) to the names that it is reserved
    for. ``environments`` are the ids of all of the project's environments.
    """

    given: frozenset[tuple[str, int | None]] = frozenset()
    roles: Mapping[str, frozenset[Permission]] = field(default_factory=dict)
    rules: Mapping[tuple[int, str], frozenset[str]] = field(default_factory=dict)
    environments: frozenset[int] = frozenset()
    unlimited: bool = False

    def names_in(self, environment: int) -> frozenset[str]:
        """The roles and groups that count in an environment."""
        return frozenset(name for name, where in self.given if where in (None, environment))

    def in_environment(self, environment: int) -> frozenset[Permission]:
        """What somebody may do in an environment.

        A permission that the environment reserves belongs to exactly the roles it is reserved
        for; every other one to the roles that hold it anyway.
        """
        if self.unlimited:
            return EVERYTHING
        names = self.names_in(environment)
        held = self._held(names)
        for (where, permission), reserved in self.rules.items():
            if where == environment:
                one = {Permission(permission)}
                held = held | one if names & reserved else held - one
        return held

    def in_project(self) -> frozenset[Permission]:
        """What somebody may do to the project as a whole: what they may do in all of it.

        Reading is the exception: whoever sees one environment sees the project.
        """
        if self.unlimited:
            return EVERYTHING
        reads = self._held(frozenset(name for name, _where in self.given)) & READS
        everywhere = [self.in_environment(environment) for environment in self.environments]
        if not everywhere:
            return self._held(frozenset(name for name, where in self.given if where is None))
        return frozenset.intersection(*everywhere) | reads

    def _held(self, names: frozenset[str]) -> frozenset[Permission]:
        return frozenset[Permission]().union(*(self.roles.get(name, NOTHING) for name in names))
