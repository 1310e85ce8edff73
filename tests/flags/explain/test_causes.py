"""Changed by, and who agreed."""

from typing import Any

import pytest

from flags.explain import rebuilding
from flags.explain.causes import Cause
from portal.access.models import Environment, User
from portal.approvals.errors import Waiting
from portal.lib import clock
from tests.support.agreeing import TWO_ROLES, set_policy, vote, waiting
from tests.support.desk import RULE, Desk
from tests.support.planning import SHARED_RULE, a_ramp, carry_out

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db]


def causes(desk: Desk) -> tuple[Cause, ...]:
    """Of what the flag answers now."""
    return rebuilding.answer_at(
        project=desk.flag.project,
        environment=desk.environment.key,
        flag=desk.flag.key,
        context={},
        moment=clock.now(),
    ).causes


def agreed_by(cause: Cause) -> list[Any]:
    assert cause.approval is not None
    return [one["person"] for one in cause.approval.people]


def test_causes__free_change__say_who_and_why_and_that_nobody_had_to_agree(
    desk: Desk, alice: User
) -> None:
    desk.save(alice, enabled=True, reason="launch")
    last, first = causes(desk)
    assert (last.row.event, last.row.actor, last.row.reason) == ("flag.enabled", "alice", "launch")
    assert last.approval is None
    assert first.row.event == "flag.created"


def test_causes__agreed_change__name_the_request_and_who_approved(
    desk: Desk, guarded: Environment, alice: User, erin: User, frank: User
) -> None:
    with pytest.raises(Waiting) as error:
        desk.save(alice, enabled=True, rules=[RULE])
    vote(waiting(error), erin)
    vote(waiting(error), frank)
    cause = causes(desk)[0]
    assert agreed_by(cause) == ["erin", "frank"]
    assert cause.approval is not None
    assert cause.approval.request == waiting(error).pk
    assert not cause.approval.is_emergency


def test_causes__reason_that_names_a_request__is_not_believed(
    desk: Desk, guarded: Environment, alice: User, erin: User, frank: User
) -> None:
    with pytest.raises(Waiting) as error:
        desk.save(alice, enabled=True, rules=[RULE])
    vote(waiting(error), erin)
    vote(waiting(error), frank)
    forged = f"as agreed (change request {waiting(error).pk})"
    desk.switch(alice, False, reason=forged)  # turning off needs nobody
    cause = causes(desk)[0]
    assert cause.row.reason == forged
    assert cause.approval is None


def test_causes__broken_glass__names_the_emergency(
    desk: Desk, guarded: Environment, frank: User
) -> None:
    guarded.policy.delete()
    set_policy(guarded, **TWO_ROLES, break_glass=["devops_lead"])
    desk.switch(frank, True, break_glass=True, reason="the shop is down")
    approval = causes(desk)[0].approval
    assert approval is not None
    assert (approval.is_emergency, approval.people) == (True, ())


def test_causes__step_of_a_ramp__names_who_agreed_to_the_ramp(
    desk: Desk, alice: User, erin: User, frank: User, request: pytest.FixtureRequest
) -> None:
    desk.save(alice, enabled=True, rules=[SHARED_RULE])
    request.getfixturevalue("guarded")
    with pytest.raises(Waiting) as error:
        a_ramp(desk, alice)
    vote(waiting(error), erin)
    vote(waiting(error), frank)
    carry_out(desk.flag.plans.get())
    cause = causes(desk)[0]
    assert cause.row.actor.startswith("ramp ")
    assert agreed_by(cause) == ["erin", "frank"]
