"""Stopping the line: nothing raises what users get in an environment, until somebody lifts that."""

import pytest

from flags.core import configurations
from flags.models import Flag
from portal.access.models import Environment, User
from portal.approvals.freezes import services as freeze_services
from portal.approvals.freezes.selectors import Frozen
from portal.approvals.policies import services as policy_services
from portal.audit.models import AuditEvent
from portal.lib.errors import Forbidden, Invalid
from portal.lib.journal import PLAIN, Intent, WriteOptions
from tests.support.people import acting, create_person, give_role


@pytest.fixture
def gina(production: Environment) -> User:
    person = create_person("gina")
    give_role(production.project, person, "on_call_engineer")
    return person


def turn(
    flag: Flag, place: Environment, person: User, *, on: bool, options: WriteOptions = PLAIN
) -> None:
    intent = Intent(acting(person), "because", options)
    configurations.set_enabled(flag=flag, environment=place, enabled=on, intent=intent)


def test_a_stopped_line__lets_nobody_turn_on_and_everybody_turn_off(
    production: Environment, staging: Environment, new_checkout: Flag, gina: User, alice: User
) -> None:
    turn(new_checkout, production, alice, on=True)
    freeze_services.stop_line(environment=production, intent=Intent(acting(gina), "errors rise"))
    turn(new_checkout, production, alice, on=False)
    said = "gina has stopped the line in Production: errors rise. Somebody has to lift that."
    for options in (PLAIN, WriteOptions(override_freeze=True)):
        with pytest.raises(Frozen, match=said):
            turn(new_checkout, production, alice, on=True, options=options)
    turn(new_checkout, staging, alice, on=True)  # elsewhere it moves
    freeze_services.lift_line(environment=production, intent=Intent(acting(gina)))
    turn(new_checkout, production, alice, on=True)
    rows = AuditEvent.objects.filter(subject_kind="freeze").order_by("sequence")
    assert [row.event for row in rows] == ["freeze.line_stopped", "freeze.line_lifted"]


def test_a_stopped_line__is_no_freeze_that_glass_is_broken_for(
    production: Environment, new_checkout: Flag, gina: User, alice: User
) -> None:
    policy_services.set_policy(
        environment=production,
        document={"required_approvals": 1, "break_glass": ["project_admin"]},
        intent=Intent(acting(alice)),
    )
    freeze_services.stop_line(environment=production, intent=Intent(acting(gina), "errors rise"))
    with pytest.raises(Frozen):
        turn(new_checkout, production, alice, on=True, options=WriteOptions(break_glass=True))


def test_stopping_the_line__takes_a_reason_and_the_right_to_manage_incidents(
    production: Environment, gina: User, dana: User
) -> None:
    with pytest.raises(Forbidden):
        freeze_services.stop_line(environment=production, intent=Intent(acting(dana), "because"))
    with pytest.raises(Invalid):
        freeze_services.stop_line(environment=production, intent=Intent(acting(gina), " "))
    freeze_services.stop_line(environment=production, intent=Intent(acting(gina), "errors rise"))
    with pytest.raises(Invalid):
        freeze_services.stop_line(environment=production, intent=Intent(acting(gina), "again"))
    with pytest.raises(Forbidden):
        freeze_services.lift_line(environment=production, intent=Intent(acting(dana)))
