"""Release policies: which apply to a release, which of them wins, and what a plan owes them.

Of two policies that give a check of the same key, or that both require templates, the more specific
one wins: one that names services or tags before one that does not, then one that names environments
before one for all of them, and then the first by key.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

from releases.engine.checks import Check, Role, Trouble
from releases.engine.plans import Plan, Reaction
from releases.engine.steps import DEPLOY, Step, Work


@dataclass(frozen=True, slots=True)
class Moved:
    """What a release moves, and where: a service, or a flag with its tags.

    A flag by which services are routed moves those too, and they have its tags.
    """

    environment: str
    services: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy. No environments are all of them; neither services nor tags is every release.
    ``templates`` are keys, one of which a release has to use; none allow every plan."""

    key: str
    name: str = ""
    environments: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    checks: tuple[Check, ...] = ()
    templates: tuple[str, ...] = ()

    @property
    def precedence(self) -> tuple[bool, bool, str]:
        """What sorts the more specific first."""
        return not (self.services or self.tags), not self.environments, self.key

    def applies_to(self, moved: Moved) -> bool:
        if self.environments and moved.environment not in self.environments:
            return False
        is_named = bool(self.services & moved.services or self.tags & moved.tags)
        return is_named or not (self.services or self.tags)


@dataclass(frozen=True, slots=True)
class Ruling:
    """The policies that apply to a release, the first to win first."""

    moved: Moved
    policies: tuple[Policy, ...] = ()
    winners: dict[str, Policy] = field(default_factory=dict)
    """By the key of each check, the policy that gives it."""

    @property
    def checks(self) -> tuple[Check, ...]:
        return tuple(
            check
            for policy in self.policies
            for check in policy.checks
            if self.winners[check.key] is policy
        )

    @property
    def requiring(self) -> Policy | None:
        """The policy whose templates are required; None where every plan is allowed."""
        return next((one for one in self.policies if one.templates), None)

    @property
    def guarding(self) -> Policy | None:
        """The first policy that gives a check which may hold or roll back."""
        found = (one for one in self.policies if any(self._guards(one, c) for c in one.checks))
        return next(found, None)

    def _guards(self, policy: Policy, check: Check) -> bool:
        return self.winners[check.key] is policy and check.role is not Role.DRY_RUN

    def overruled(self, policy: Policy) -> list[tuple[str, Policy]]:
        """The checks that it gives in vain, each with the policy that wins."""
        pairs = [(check.key, self.winners[check.key]) for check in policy.checks]
        return [(key, winner) for key, winner in pairs if winner is not policy]


def rule(policies: Iterable[Policy], moved: Moved) -> Ruling:
    """Which policies apply, and which of them wins what."""
    found = [one for one in policies if one.applies_to(moved)]
    found.sort(key=lambda one: one.precedence)
    winners: dict[str, Policy] = {}
    for policy in found:
        for check in policy.checks:
            winners.setdefault(check.key, policy)
    return Ruling(moved, tuple(found), winners)


def uses(plan: Plan, template: Plan, ruling: Ruling, instead: Collection[str]) -> bool:
    """Whether a plan is a template's but for further checks; those of policies stand instead.

    ``instead`` are the keys of checks that stand instead of the service's own: those are no further
    ones, so they have to be the template's.
    """
    written = replace(plan, steps=_as_written(plan, template), checks=())
    if written != replace(template, checks=()):
        return False
    if any(one.key in instead and one not in template.checks for one in plan.checks):
        return False
    return all(check in plan.checks or check.key in ruling.winners for check in template.checks)


def _as_written(plan: Plan, template: Plan) -> tuple[Step, ...]:
    """Its steps without what the setup of its service has added: batches of its instances where the
    template has none, and a step that deploys."""
    if not template.steps:
        return ()
    added = plan.steps[:1] == (DEPLOY,) and template.steps[0].work is not Work.DEPLOY
    return plan.steps[1:] if added else plan.steps


def missing(plan: Plan, ruling: Ruling) -> Iterator[Check]:
    """The checks that policies attach and a plan does not have as they are."""
    return (check for check in ruling.checks if check not in plan.checks)


def only_warned_of(plan: Plan, ruling: Ruling) -> list[Trouble]:
    """The troubles with checks of policies that a plan would go on in spite of."""
    if ruling.guarding is None:
        return []
    of_checks = (Trouble.REGRESSION, Trouble.NO_DATA, Trouble.ERROR)
    return [one for one in of_checks if plan.on[one] is Reaction.WARN]
