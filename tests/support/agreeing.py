"""People who agree with each other: a policy for the shop's production, and who can satisfy it.

Erin is a senior developer, Frank leads DevOps; production wants two approvals with both roles.
"""

from collections.abc import Callable
from datetime import datetime

import pytest

from flags.core import configurations
from flags.models import Flag
from portal.access.models import Environment, Project, User
from portal.approvals import services
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest, Policy
from portal.approvals.policies import services as policy_services
from portal.approvals.services import Voted
from portal.lib.journal import Intent
from tests.support.people import SETTING_UP, acting, create_person, give_role
from tests.support.remembering import remembered

TWO_ROLES = {"required_approvals": 2, "required_roles": ["senior_developer", "devops_lead"]}


def set_policy(environment: Environment, **document: object) -> Policy:
    """Give an environment a policy, as an operator."""

    def make() -> int:
        policy = policy_services.set_policy(
            environment=environment, document=document, intent=Intent(SETTING_UP)
        )
        assert policy is not None
        return policy.pk

    return Policy.objects.get(pk=remembered(f"policy of {environment.pk}: {document}", make))


def vote(
    request: ChangeRequest, person: User, verdict: str = "approve", comment: str = "because"
) -> Voted:
    """A vote on the request as it is now."""
    request.refresh_from_db()
    return services.cast_vote(
        request=request,
        verdict=verdict,
        seen_digest=request.digest,
        comment=comment,
        intent=Intent(acting(person)),
    )


def waiting(error: pytest.ExceptionInfo[Waiting]) -> ChangeRequest:
    """The request that a change waits as."""
    return ChangeRequest.objects.get(pk=error.value.request.pk)


def asking(step: str, change: Callable[[], object]) -> ChangeRequest:
    """The request that a change waits as; ``step`` names it with all that it depends on."""

    def make() -> int:
        with pytest.raises(Waiting) as error:
            change()
        return waiting(error).pk

    return ChangeRequest.objects.get(pk=remembered(step, make))


def ask_for_something(flag: Flag, person: User, environment: str = "staging") -> ChangeRequest:
    """A request to turn a flag on in an environment, which wants one approval just for that."""

    def make() -> int:
        place = flag.project.environments.get(key=environment)
        policy = set_policy(place, required_approvals=1)
        with pytest.raises(Waiting) as error:
            configurations.set_enabled(
                flag=flag, environment=place, enabled=True, intent=Intent(acting(person))
            )
        policy.delete()
        return waiting(error).pk

    step = f"request of {person.pk} for {flag.pk} in {environment}"
    return ChangeRequest.objects.get(pk=remembered(step, make))


@pytest.fixture
def erin(shop: Project) -> User:
    person = create_person("erin")
    give_role(shop, person, "senior_developer")
    return person


@pytest.fixture
def frank(shop: Project) -> User:
    person = create_person("frank")
    give_role(shop, person, "devops_lead")
    return person


@pytest.fixture
def guarded(production: Environment, erin: User, frank: User, now: datetime) -> Environment:
    """The shop's production, where two people have to agree."""
    set_policy(production, **TWO_ROLES)
    return production
