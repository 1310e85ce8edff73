"""What races need: requests that only wait for the last step, and what the trail says of an order.

The audit trail is written under one lock, so its sequence is the order in which things became so.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.db import connection

from flags.models import Flag
from portal.access.models import Environment, User
from portal.approvals import services
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest, Policy
from portal.audit import selectors as audit
from portal.audit.models import AuditEvent
from portal.lib.journal import Intent
from tests.support import concurrently
from tests.support.agreeing import TWO_ROLES, set_policy, vote, waiting
from tests.support.desk import Desk
from tests.support.people import acting

Outcome = object


@dataclass(frozen=True)
class Cast:
    """Who plays a part in a race."""

    desk: Desk
    dana: User
    erin: User
    frank: User

    @property
    def place(self) -> Environment:
        return self.desk.environment

    def new_desk(self, number: int) -> Desk:
        """A flag that nobody has touched yet."""
        flag: Flag = self.desk.create(self.dana, f"flag-{number}")
        return Desk(flag, self.place, self.desk.now)

    def ask(self, desk: Desk) -> ChangeRequest:
        """Dana's request to turn a flag on, to be applied by somebody."""
        with pytest.raises(Waiting) as error:
            desk.switch(self.dana, True, apply_when_approved=False)
        return waiting(error)

    def agree(self, request: ChangeRequest) -> ChangeRequest:
        """All that is missing is somebody who applies it."""
        vote(request, self.erin)
        vote(request, self.frank)
        return request


def at_once(*actions: Callable[[], Outcome]) -> list[Outcome]:
    """Run them together; nothing but what services raise may come of it, and the chain holds."""
    outcomes = concurrently.run(*actions)
    strange = [one for one in outcomes if isinstance(one, Exception) and not _is_ours(one)]
    assert not strange, strange
    assert audit.chain_fault() is None
    return list(outcomes)


def _is_ours(error: Exception) -> bool:
    return type(error).__module__.startswith("portal.")


def names(outcomes: list[Outcome]) -> list[str]:
    """The types of what came of it, sorted."""
    return sorted(type(one).__name__ for one in outcomes)


def apply(request: ChangeRequest, person: User) -> ChangeRequest:
    return services.apply_request(request=request, intent=Intent(acting(person)))


def sequence_of(event: str, subject: str = "") -> int | None:
    """Where the trail has the last event of a name; None where it has none."""
    found = AuditEvent.objects.filter(event=event)
    if subject:
        found = found.filter(subject=subject)
    last = found.order_by("-sequence").first()
    return last.sequence if last else None


def many() -> int:
    """Fifty people where writers do not wait in one line for the whole database."""
    return 50 if connection.vendor == "postgresql" else 10


def with_glass(place: Environment) -> None:
    """Give a place the same policy anew, with glass that senior developers and Dana may break."""
    Policy.objects.filter(environment=place).delete()
    set_policy(place, **TWO_ROLES | {"break_glass": ["senior_developer", "developer"]})
