"""What an emergency change goes back to, whatever came in between."""

from datetime import timedelta
from typing import Any

import pytest

from portal.access.models import Environment, User
from portal.approvals import emergencies, services
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest, Emergency, EmergencyLog, Policy
from portal.audit.models import AuditEvent
from portal.lib import clock
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from portal.notifications.models import Letter
from tests.portal.approvals.racing import at_once
from tests.support.agreeing import vote, waiting
from tests.support.desk import RULE, Desk
from tests.support.freezing import freeze_now
from tests.support.glass import break_glass, end, end_all, serve, without_policy
from tests.support.people import acting
from tests.support.planning import SHARED_RULE, a_ramp, carry_out, share_now


def test_a_second_emergency_in_a_row__does_not_move_what_is_gone_back_to(
    desk: Desk, grace: User
) -> None:
    agreed = desk.configuration.document
    break_glass(desk, grace, fallthrough=serve("off"))
    break_glass(
        desk,
        grace,
        fallthrough={
            "split": [{"variant": "on", "weight": 50_000}, {"variant": "off", "weight": 50_000}]
        },
    )
    end_all()
    assert desk.configuration.document == agreed
    assert not EmergencyLog.objects.exists()


def _approved(desk: Desk, dana: User, *voters: User, **changes: Any) -> ChangeRequest:
    with pytest.raises(Waiting) as error:
        desk.save(dana, **changes)
    request = waiting(error)
    for person in voters:
        vote(request, person)
    request.refresh_from_db()
    assert request.state == "applied"
    return request


def test_what_was_approved_meanwhile__stays(
    desk: Desk, grace: User, dana: User, erin: User, frank: User
) -> None:
    agreed = desk.configuration.document
    first = break_glass(desk, grace, fallthrough=serve("off"))
    _approved(desk, dana, erin, frank, off_variant="on")
    second = break_glass(desk, grace, salt="another")
    _approved(desk, dana, erin, frank, rules=[RULE])
    end(second, first)
    rules = desk.configuration.document["rules"]
    assert desk.configuration.document == agreed | {"off_variant": "on", "rules": rules}
    assert rules != []


def test_approved_on_top_of_the_emergency__is_what_stays_and_people_are_told(
    desk: Desk, grace: User, dana: User, erin: User, frank: User
) -> None:
    User.objects.update(email="somebody@shop.example")
    emergency = break_glass(desk, grace, fallthrough=serve("off"), off_variant="on")
    _approved(
        desk,
        dana,
        erin,
        frank,
        fallthrough={
            "split": [{"variant": "on", "weight": 1000}, {"variant": "off", "weight": 99_000}]
        },
    )
    served = desk.configuration.document["fallthrough"]
    end(emergency)
    after = desk.configuration.document
    assert (after["fallthrough"], after["off_variant"]) == (served, "off")
    emergency.refresh_from_db()
    assert emergency.kept == ["What everyone else gets"]
    row = AuditEvent.objects.get(event="break_glass.reverted").after_document
    assert row
    assert row["kept"] == emergency.kept
    told = {letter.user for letter in Letter.objects.filter(key__contains=":kept")}
    assert {grace, erin, frank} <= told
    text = Letter.objects.filter(key__contains=":kept")[0].text
    assert "Others changed this as well, so theirs stays:\n\n- What everyone else gets" in text


def test_explicitly_approved__is_agreed_even_where_an_ended_emergency_lies_in_between(
    desk: Desk, grace: User, dana: User, erin: User, frank: User
) -> None:
    """X → A by an emergency, A → B by another, back to A by people: A is agreed to."""
    break_glass(desk, grace, salt="A")
    second = break_glass(desk, grace, salt="B")
    _approved(desk, dana, erin, frank, salt="A")
    end(second)
    end_all()
    assert desk.configuration.document["salt"] == "A"


def test_a_turn_off__stays(desk: Desk, grace: User, dana: User) -> None:
    desk.switch(dana, False)
    agreed = desk.configuration.document
    first = break_glass(desk, grace, enabled=True)
    second = break_glass(desk, grace, fallthrough=serve("off"))
    desk.switch(dana, False)
    end(second)
    assert not desk.configuration.enabled
    end(first)
    assert desk.configuration.document == agreed


def test_one_of_two_confirmed__stays_and_the_other_goes(
    desk: Desk, grace: User, erin: User
) -> None:
    agreed = desk.configuration.document
    break_glass(desk, grace, fallthrough=serve("off"), salt="first")
    second = break_glass(
        desk,
        grace,
        fallthrough={
            "split": [{"variant": "on", "weight": 1000}, {"variant": "off", "weight": 99_000}]
        },
    )
    confirmed = desk.configuration.document["fallthrough"]
    services.confirm_emergency(emergency=second, intent=Intent(acting(erin), at=desk.now))
    end_all()
    assert desk.configuration.document == agreed | {"fallthrough": confirmed}


def test_a_step_of_a_ramp_that_was_agreed_to__stays(
    desk: Desk, grace: User, dana: User, guarded: Environment
) -> None:
    with without_policy(guarded):
        desk.save(dana, rules=[SHARED_RULE])
        plan = a_ramp(desk, dana)
    agreed = desk.configuration.document
    policy = Policy.objects.get()
    emergency = break_glass(desk, grace, fallthrough=serve("off"))
    Policy.objects.all().delete()
    carry_out(plan)
    policy.save(force_insert=True)
    assert share_now(desk) == 10
    end(emergency)
    assert share_now(desk) == 10
    assert desk.configuration.document["fallthrough"] == agreed["fallthrough"]


def test_a_step_that_would_build_on_the_emergency__waits_for_its_end(
    desk: Desk, grace: User, dana: User, guarded: Environment
) -> None:
    """A plan was agreed to for what was there; it must not carry on what nobody agreed to."""
    shares = [{"variant": "on", "weight": 1000}, {"variant": "off", "weight": 99_000}]
    with without_policy(guarded):
        desk.save(dana, fallthrough={"split": shares})
        plan = a_ramp(desk, dana, target={"part": "split", "rule": ""})
    emergency = break_glass(desk, grace, fallthrough={"split": shares, "bucket_by": "company"})
    Policy.objects.all().delete()
    held = carry_out(plan)
    assert (held.state, held.step) == ("running", 0)
    assert "Emergency change" in held.problem
    end(emergency)
    assert carry_out(held).step == 1
    served: Any = desk.configuration.document["fallthrough"]
    assert [one["weight"] for one in served["split"]] == [10_000, 90_000]
    assert "bucket_by" not in served


def test_archived_meanwhile__is_not_served_once_restored(
    desk: Desk, grace: User, alice: User, guarded: Environment
) -> None:
    agreed = desk.configuration.document
    emergency = break_glass(desk, grace, fallthrough=serve("off"))
    with without_policy(guarded):
        desk.archive(alice)
    end(emergency)
    with without_policy(guarded):
        desk.restore(alice)
    assert desk.configuration.document == agreed


def test_a_freeze__does_not_keep_what_nobody_agreed_to(
    desk: Desk, grace: User, guarded: Environment
) -> None:
    agreed = desk.configuration.document
    emergency = break_glass(desk, grace, fallthrough=serve("off"))
    freeze_now(guarded)
    end(emergency)
    assert desk.configuration.document == agreed


def test_what_it_goes_back_to__cannot_be_removed_meanwhile(
    desk: Desk, grace: User, alice: User, guarded: Environment
) -> None:
    agreed = desk.configuration.document
    emergency = break_glass(desk, grace, fallthrough=serve("off"), off_variant="on")
    with without_policy(guarded), pytest.raises(Invalid, match="variant"):
        desk.edit(alice, variants=[{"key": "on", "value": True}])
    end(emergency)
    assert desk.configuration.document == agreed


# Workers


def test_a_worker_killed_in_between__leaves_nothing_half_done(
    desk: Desk, grace: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreed = desk.configuration.document
    emergency = break_glass(desk, grace, fallthrough=serve("off"))
    made = desk.configuration.document
    with monkeypatch.context() as patch:
        patch.setattr(emergencies, "forget", _killed)
        end(emergency)
    emergency.refresh_from_db()
    assert emergency.is_running
    assert desk.configuration.document == made
    end(emergency)
    assert desk.configuration.document == agreed


def _killed(*_args: object, **_named: object) -> None:
    raise RuntimeError("killed")


@pytest.mark.django_db(transaction=True)
def test_two_workers_and_a_confirmation_at_once__end_each_once(
    desk: Desk, grace: User, erin: User
) -> None:
    agreed = desk.configuration.document
    break_glass(desk, grace, fallthrough=serve("off"))
    second = break_glass(desk, grace, salt="second")
    past = clock.database_now() - timedelta(seconds=1)
    Emergency.objects.update(reverts_at=past)
    at_once(
        lambda: services.revert_due(),
        lambda: services.revert_due(),
        lambda: services.confirm_emergency(emergency=second, intent=Intent(acting(erin))),
    )
    second.refresh_from_db()
    assert bool(second.confirmed_at) != bool(second.reverted_at)
    salt = "second" if second.confirmed_at else agreed["salt"]
    assert desk.configuration.document == agreed | {"salt": salt}
    ended = AuditEvent.objects.filter(event__in=("break_glass.reverted", "break_glass.confirmed"))
    assert ended.count() == 2
