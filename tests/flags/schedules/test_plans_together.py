"""Several workers at once, each with a transaction of its own."""

from datetime import timedelta

import pytest

from flags.schedules import commands, runner
from flags.schedules.models import Plan
from portal.access.models import User
from portal.audit.models import AuditEvent
from portal.lib.journal import Intent
from tests.support import concurrently
from tests.support.desk import Desk
from tests.support.people import acting
from tests.support.planning import SHARED_RULE, a_ramp, a_schedule, let_it_be_due, share_now

pytestmark = pytest.mark.django_db(transaction=True)


def _work() -> int:
    return runner.carry_out_due()


def test_two_workers__do_a_step_once(desk: Desk, dana: User) -> None:
    desk.save(dana, rules=[SHARED_RULE], enabled=True)
    ramp = a_ramp(desk, dana)
    let_it_be_due(ramp, timedelta(hours=3))
    outcomes = concurrently.run(*[_work] * 4)
    assert not [one for one in outcomes if isinstance(one, Exception)]
    ramp.refresh_from_db()
    assert (ramp.step, share_now(desk)) == (1, 10)
    assert AuditEvent.objects.filter(actor=f"ramp {ramp.pk} of dana").count() == 1


def test_a_step_and_a_cancel_at_once__one_wins_and_both_know(desk: Desk, dana: User) -> None:
    for _round in range(3):
        desk.switch(dana, False)
        plan = a_schedule(desk, dana)
        let_it_be_due(plan)
        concurrently.run(
            _work,
            lambda plan=plan: commands.cancel_plan(  # type: ignore[misc]
                plan=plan, intent=Intent(acting(dana))
            ),
        )
        state = Plan.objects.get(pk=plan.pk).state
        assert desk.configuration.enabled == (state == "finished")
        assert state in ("finished", "cancelled")
