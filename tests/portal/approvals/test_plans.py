"""Schedules and ramps are no side door: others agree to exactly that plan, and it is checked."""

from dataclasses import replace

import pytest

from flags.core import configurations
from flags.schedules import commands
from flags.schedules.models import Plan
from portal.access import services as access
from portal.access.models import Project, User
from portal.approvals.errors import NotApproved, Waiting
from portal.approvals.models import ChangeRequest, Policy
from portal.lib import journal
from portal.lib.errors import Forbidden, Invalid
from portal.lib.journal import Intent, Step, WriteOptions
from tests.support.agreeing import TWO_ROLES, set_policy, vote, waiting
from tests.support.desk import Desk
from tests.support.people import SETTING_UP, acting
from tests.support.planning import a_ramp, a_schedule, carry_out, let_it_be_due

SOMEBODY = journal.system("somebody")


@pytest.fixture
def planned(desk: Desk, dana: User, erin: User, frank: User) -> Plan:
    """Dana's schedule to turn the flag on, which others agreed to."""
    return agreed(desk, dana, erin, frank)


def agreed(desk: Desk, dana: User, *voters: User) -> Plan:
    with pytest.raises(Waiting) as error:
        a_schedule(desk, dana)
    for person in voters:
        vote(waiting(error), person)
    return Plan.objects.get()


def test_a_plan__is_nothing_before_others_agree_and_theirs_is_the_authors(
    desk: Desk, dana: User, erin: User, frank: User
) -> None:
    with pytest.raises(Waiting) as error:
        a_schedule(desk, dana)
    request = waiting(error)
    assert request.kind == "flag.schedule"
    assert "Turn on." in request.words
    assert any("UTC" in sentence for sentence in request.words)
    vote(request, erin)
    assert not Plan.objects.exists()
    vote(request, frank)
    plan = Plan.objects.get()
    assert (plan.author, plan.agreement_id) == ("dana", request.pk)
    plan = carry_out(plan)
    assert plan.state == "finished", plan.problem
    assert desk.configuration.enabled


def test_breaking_glass__is_not_for_plans(desk: Desk, frank: User) -> None:
    Policy.objects.all().delete()
    set_policy(desk.environment, **TWO_ROLES, break_glass=["devops_lead"])
    glass = replace(desk, options=WriteOptions(break_glass=True), reason="It burns")
    with pytest.raises((Forbidden, Invalid)):
        a_schedule(glass, frank)
    assert not Plan.objects.exists()


@pytest.mark.parametrize("tamper", [{"operation": "turn_off"}, {"zone": "Europe/Berlin"}])
def test_a_plan_changed_after_it_was_agreed_to__serves_nothing_and_asks(
    desk: Desk, planned: Plan, tamper: dict[str, str]
) -> None:
    before = desk.configuration.document | {"enabled": "zone" not in tamper}
    if "operation" in tamper:
        desk.flag.configurations.filter(environment=desk.environment).update(enabled=True)
        set_policy(desk.environment, **TWO_ROLES, turning_off_needs_approval=True)
    Plan.objects.filter(pk=planned.pk).update(document=planned.document | tamper)
    plan = carry_out(planned)
    assert desk.configuration.document == before
    assert plan.state == "cancelled"
    request = ChangeRequest.objects.get(kind="flag.configuration")
    assert request.is_open
    assert str(request.pk) in plan.problem


def test_a_voter_who_lost_the_role__leaves_a_plan_that_asks_again(
    desk: Desk, shop: Project, planned: Plan, erin: User
) -> None:
    access.set_role(project=shop, user=erin, role="viewer", intent=Intent(SETTING_UP, at=desk.now))
    carry_out(planned)
    assert not desk.configuration.enabled
    assert ChangeRequest.objects.filter(kind="flag.configuration", state="open").count() == 1


def test_an_author_whose_account_is_closed__serves_nothing(
    desk: Desk, planned: Plan, dana: User
) -> None:
    dana.is_active = False
    dana.save()
    plan = carry_out(planned)
    assert not desk.configuration.enabled
    assert plan.is_paused
    assert "dana" in plan.problem


def test_a_policy_that_came_later__is_asked(
    desk: Desk, dana: User, erin: User, frank: User
) -> None:
    Policy.objects.all().delete()
    plan = a_schedule(desk, dana)
    set_policy(desk.environment, **TWO_ROLES)
    plan = carry_out(plan)
    assert not desk.configuration.enabled
    request = ChangeRequest.objects.get()
    assert (request.kind, request.author) == ("flag.configuration", "dana")
    vote(request, erin)
    vote(request, frank)
    assert desk.configuration.enabled


def test_a_recurring_plan__rests_until_it_is_agreed_to_anew(
    desk: Desk, dana: User, erin: User, frank: User
) -> None:
    Policy.objects.all().delete()
    plan = a_schedule(desk, dana, rrule="FREQ=DAILY")
    set_policy(desk.environment, **TWO_ROLES)
    plan = carry_out(plan)
    assert plan.is_paused
    with pytest.raises(Waiting) as error:
        commands.resume_plan(plan=plan, intent=Intent(acting(dana), at=desk.now))
    plan.refresh_from_db()
    assert plan.is_paused
    request = waiting(error)
    assert request.kind == "flag.schedule"
    vote(request, erin)
    vote(request, frank)
    plan = carry_out(plan)
    assert desk.configuration.enabled, plan.problem
    assert plan.is_running


def test_resuming_what_is_still_agreed_to__is_free(desk: Desk, planned: Plan, dana: User) -> None:
    commands.pause_plan(plan=planned, intent=Intent(acting(dana), at=desk.now))
    commands.resume_plan(plan=planned, intent=Intent(acting(dana), at=desk.now))
    carry_out(planned)
    assert desk.configuration.enabled


CLAIMS = {
    "not yet due": Step("flag.schedule", 0, 0),
    "another step": Step("flag.schedule", 0, 1),
    "no such plan": Step("flag.schedule", 1, 0),
    "another kind": Step("flag.ramp", 0, 0),
    "no such kind": Step("flag.miracle", 0, 0),
    "another change": Step("flag.schedule", 0, 0),
    "paused": Step("flag.schedule", 0, 0),
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_whoever_names_a_plan_that_does_not_say_so__is_refused(
    desk: Desk, planned: Plan, dana: User, claim: str
) -> None:
    step = replace(CLAIMS[claim], plan=planned.pk + CLAIMS[claim].plan)
    if claim != "not yet due":
        let_it_be_due(planned)
    if claim == "paused":
        commands.pause_plan(plan=planned, intent=Intent(acting(dana), at=desk.now))
    before = desk.configuration.document
    changes = {"enabled": True} if claim != "another change" else {"off_variant": "on"}
    with pytest.raises(Invalid, match="No plan says"):
        configurations.save_configuration(
            flag=desk.flag,
            environment=desk.environment,
            document=before | changes,
            expected_version=desk.configuration.version,
            intent=Intent(SOMEBODY, options=WriteOptions(step=step)),
        )
    assert desk.configuration.document == before


def test_one_agreement__makes_one_plan(desk: Desk, planned: Plan, dana: User) -> None:
    again = replace(desk, options=WriteOptions(agreement=planned.agreement_id))
    with pytest.raises(Exception, match="applied already") as error:
        a_schedule(again, dana, starts=planned.document["starts"])
    assert not isinstance(error.value, NotApproved)
    assert Plan.objects.count() == 1


def test_a_ramp__asks_with_its_table(desk: Desk, dana: User) -> None:
    rule = {
        "id": "r-1",
        "when": {"all": []},
        "serve": {"variant": "on"},
        "audience": {"percent": 1},
    }
    configuration = desk.configuration
    configuration.targeting["rules"] = [rule]
    configuration.enabled = True
    configuration.save()
    with pytest.raises(Waiting) as error:
        a_ramp(desk, dana)
    request = waiting(error)
    assert request.kind == "flag.ramp"
    assert "50 % after 1 hour" in request.words
