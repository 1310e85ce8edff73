"""Eight people who do whatever there is to do, in any order, at the same time."""

import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest
from django.db import connection

from flags.transfer.importing import service
from portal.access import services as access
from portal.access.models import Environment, Project, User
from portal.approvals import services, services as approvals
from portal.approvals.models import ChangeRequest, Emergency
from portal.approvals.policies import services as policy_services
from portal.audit import selectors as audit
from portal.audit.models import AuditEvent
from portal.lib import clock
from portal.lib.errors import AviaryError
from portal.lib.journal import Intent
from tests.portal.approvals.racing import Cast, apply, at_once, with_glass
from tests.support.agreeing import TWO_ROLES, vote
from tests.support.desk import RULE, Desk
from tests.support.people import SETTING_UP, acting, boolean_flag, create_person, give_role

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 8


class Everybody:
    """One thread's work: draws one write after the other."""

    def __init__(self, people: Cast, shop: Project, seed: int) -> None:
        self.people, self.shop, self.random = people, shop, random.Random(seed)
        self.crew = [people.dana, people.erin, people.frank]
        self.desks = [people.desk, people.new_desk(seed)]
        self.seed = seed
        writes: list[Callable[[], object]] = [
            *[self.ask, self.vote, self.vote, self.apply, self.revise, self.turn_off],
            *[self.grant, self.revoke, self.policy, self.withdraw, self.import_, self.edit],
            *[self.comment, self.confirm, self.ask, self.vote, self.vote, self.vote, self.apply],
            *[self.add_person, self.reserve, self.save, self.break_glass, self.take_back],
        ]
        self.writes = writes

    def run(self, times: int) -> int:
        """Returns how many writes came through."""
        done = 0
        for _ in range(times):
            with suppress(AviaryError, ChangeRequest.DoesNotExist):
                self.random.choice(self.writes)()
                done += 1
        return done

    @property
    def who(self) -> User:
        return self.random.choice(self.crew)

    @property
    def desk(self) -> Desk:
        return self.random.choice(self.desks)

    def some_request(self) -> ChangeRequest:
        requests = list(ChangeRequest.objects.filter(state="open")[:3])
        if not requests:
            raise ChangeRequest.DoesNotExist
        return self.random.choice(requests)

    def ask(self) -> object:
        return self.desk.switch(self.who, True)

    def vote(self) -> object:
        return vote(self.some_request(), self.who)

    def apply(self) -> object:
        return apply(self.some_request(), self.who)

    def revise(self) -> object:
        return self.desk.save(self.who, revise=self.some_request().pk, rules=[RULE], enabled=True)

    def turn_off(self) -> object:
        return self.desk.switch(self.who, False)

    def save(self) -> object:
        elsewhere = self.shop.environments.get(key="development")
        return Desk(self.desk.flag, elsewhere, clock.now()).save(self.who, rules=[RULE])

    def edit(self) -> object:
        return self.desk.edit(self.who, description=str(self.random.random()))

    def grant(self) -> object:
        return give_role(self.shop, self.who, "qa", self.people.place)

    def revoke(self) -> object:
        found = self.shop.grants.filter(role="qa").first()
        return access.revoke_grant(grant=found, intent=Intent(SETTING_UP)) if found else None

    def policy(self) -> object:
        wanted = TWO_ROLES | {"required_approvals": self.random.choice([2, 3])}
        return policy_services.set_policy(
            environment=self.people.place, document=wanted, intent=Intent(acting(self.who))
        )

    def withdraw(self) -> object:
        return services.withdraw_request(
            request=self.some_request(), intent=Intent(acting(self.who))
        )

    def import_(self) -> object:
        document = {"flags": [boolean_flag(f"imported-{self.seed}")]}
        return service.import_document(
            format_name="native",
            document=document,
            environment=self.shop.environments.get(key="development"),
            mode="merge",
            dry_run=False,
            intent=Intent(acting(self.people.dana)),
        )

    def add_person(self) -> object:
        name = f"person-{self.seed}-{self.random.randrange(10**9)}"
        return access.add_member(
            project=self.shop, username=name, role="viewer", intent=Intent(SETTING_UP)
        )

    def reserve(self) -> object:
        return approvals.reserve(
            environment=self.shop.environments.get(key="development"),
            permission="flag.edit",
            names=self.random.choice([None, ["developer"], ["developer", "devops_lead"]]),
            intent=Intent(SETTING_UP),
        )

    def break_glass(self) -> object:
        return self.desk.switch(self.people.erin, True, break_glass=True, reason="Orders fail")

    def comment(self) -> object:
        return services.comment_on_request(
            request=self.some_request(), text="Why?", intent=Intent(acting(self.who))
        )

    def confirm(self) -> object:
        found = Emergency.objects.first()
        return found and services.confirm_emergency(
            emergency=found, intent=Intent(acting(self.who))
        )

    def take_back(self) -> object:
        Emergency.objects.filter(pk__gt=self.random.randrange(20)).update(reverts_at=clock.now())
        return services.revert_due()


def test_everything_at_once__deadlocks_nowhere_and_nothing_is_applied_unapproved(
    desk: Desk, shop: Project, guarded: Environment, dana: User, erin: User, frank: User
) -> None:
    with_glass(guarded)
    give_role(shop, create_person("gina"), "senior_developer")
    people = Cast(desk, dana, erin, frank)
    threads = [Everybody(people, shop, seed) for seed in range(THREADS)]
    times = 50 if connection.vendor == "postgresql" else 6
    outcomes = at_once(*[partial(one.run, times) for one in threads])
    assert all(isinstance(one, int) for one in outcomes), outcomes
    assert audit.chain_fault() is None
    _every_change_of_production_was_agreed_to(guarded)


def _every_change_of_production_was_agreed_to(guarded: Environment) -> None:
    changes = AuditEvent.objects.filter(environment=guarded.key, subject_kind="flag")
    for change in changes.exclude(event="flag.disabled"):
        assert "change request" in change.reason or "emergency change" in change.reason, change
    for applied in AuditEvent.objects.filter(event="change_request.applied"):
        before = AuditEvent.objects.filter(
            subject_kind="change_request", subject=applied.subject, sequence__lt=applied.sequence
        ).order_by("-sequence")
        edited = before.filter(event="change_request.edited").first()
        since = before.filter(sequence__gt=edited.sequence if edited else 0)
        agreed = since.filter(event="change_request.approved").values_list("actor", flat=True)
        assert len(set(agreed)) >= 2, applied.subject
