"""Schedules and ramps: what is due happens once, what cannot go on rests and says why."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flags.core import configurations
from flags.schedules import commands, create, runner
from flags.schedules.models import Plan
from portal.access.models import Project, User
from portal.audit.models import AuditEvent
from portal.lib.errors import Forbidden, Invalid
from portal.lib.journal import Intent
from portal.runs.runner import DELAYS
from tests.support.desk import RULE, Desk
from tests.support.freezing import clock_text, end_freeze, freeze_now
from tests.support.people import SETTING_UP, acting, create_person, give_role
from tests.support.planning import (
    SHARED_RULE,
    TARGET,
    a_ramp,
    a_schedule,
    carry_out,
    let_it_be_due,
    share_now,
)

BY_HAND = RULE | {"audience": {"percent": 33}}


@pytest.fixture
def ramped(desk: Desk, dana: User) -> Plan:
    """A ramp of the flag's one rule, which is on."""
    desk.save(dana, rules=[SHARED_RULE], enabled=True)
    return a_ramp(desk, dana)


def events() -> list[str]:
    return list(AuditEvent.objects.order_by("sequence").values_list("event", flat=True))


def test_a_schedule__does_nothing_before_its_time_and_once_at_it(desk: Desk, dana: User) -> None:
    plan = a_schedule(desk, dana)
    assert runner.carry_out_due() == 0  # not the machine's clock
    assert not desk.configuration.enabled
    plan = carry_out(plan)
    assert desk.configuration.enabled
    assert plan.state == "finished"
    assert runner.carry_out_due() == 0
    assert events().count("flag.enabled") == 1
    row = AuditEvent.objects.get(event="flag.enabled")
    assert (row.actor_kind, row.actor) == ("system", f"schedule {plan.pk} of dana")
    assert row.reason.startswith("Planned for ")


def test_a_schedule_that_is_hours_late__happens_once_and_says_for_when(
    desk: Desk, dana: User
) -> None:
    starts = clock_text(datetime.now(UTC) + timedelta(hours=1))
    plan = a_schedule(desk, dana, "turn_on", starts=starts, rrule="FREQ=DAILY")
    planned_for = datetime.now(UTC) - timedelta(days=3, hours=2)
    plan = carry_out(plan, timedelta(days=3, hours=2))
    assert plan.is_running
    assert plan.due_at is not None
    assert plan.due_at > datetime.now(UTC)  # what was missed in between is not made up for
    assert plan.step == 1
    row = AuditEvent.objects.get(event="flag.enabled")
    assert f"Planned for {planned_for:%Y-%m-%d %H}" in row.reason


def test_each_operation__does_what_it_says(desk: Desk, dana: User) -> None:
    desk.save(dana, rules=[SHARED_RULE], enabled=True)
    carry_out(a_schedule(desk, dana, "percent", rule="r-1", percent=12.5))
    assert share_now(desk) == 12.5
    carry_out(a_schedule(desk, dana, "turn_off"))
    assert not desk.configuration.enabled
    wanted = {**desk.configuration.document, "rules": []}
    del wanted["enabled"]
    carry_out(a_schedule(desk, dana, "replace", configuration=wanted))
    assert desk.configuration.document == wanted | {"enabled": False}


def test_a_replacement__after_somebody_changed_the_targeting__rests_and_says_so(
    desk: Desk, alice: User, dana: User
) -> None:
    plan = a_schedule(desk, dana, "replace", configuration=desk.configuration.document)
    desk.save(alice, rules=[RULE])
    plan = carry_out(plan)
    assert plan.is_paused
    assert "changed who gets what" in plan.problem
    assert desk.configuration.document["rules"]


def test_a_schedule_of_what_is_so_already__changes_nothing_and_is_over(
    desk: Desk, dana: User
) -> None:
    desk.switch(dana, True)
    version = desk.configuration.version
    assert carry_out(a_schedule(desk, dana)).state == "finished"
    assert desk.configuration.version == version


def test_a_ramp__rises_step_by_step_and_ends(desk: Desk, ramped: Plan) -> None:
    ramped = carry_out(ramped)
    assert share_now(desk) == 10
    assert ramped.due_at is not None
    ramped = carry_out(ramped)
    assert share_now(desk) == 50
    assert ramped.state == "finished"
    assert events()[-2:] == ["flag.targeting_changed"] * 2


def test_a_late_ramp__does_not_jump_and_moves_the_rest(desk: Desk, ramped: Plan) -> None:
    ramped = carry_out(ramped, timedelta(hours=5))
    assert share_now(desk) == 10
    assert ramped.due_at is not None
    left = ramped.due_at - datetime.now(UTC)
    assert timedelta(minutes=55) < left <= timedelta(hours=1)


def test_a_ramp__goes_on_where_others_changed_something_else(
    desk: Desk, alice: User, ramped: Plan
) -> None:
    carry_out(ramped)
    other = RULE | {"id": "r-2"}
    desk.save(alice, rules=[*desk.configuration.document["rules"], other])  # type: ignore[misc]
    assert carry_out(ramped).state == "finished"
    assert share_now(desk) == 50


@pytest.mark.parametrize(
    ("changes", "state", "words"),
    [
        (
            {"rules": [RULE | {"audience": {"percent": 33}}]},
            "paused",
            "alice set the share to 33 %",
        ),
        ({"enabled": False}, "paused", "alice turned the flag off"),
        ({"rules": []}, "cancelled", "alice removed what it raises"),
    ],
)
def test_a_ramp_that_somebody_gets_in_the_way_of__stops_and_says_who(
    desk: Desk,
    alice: User,
    bob: User,
    dana: User,
    ramped: Plan,
    changes: dict[str, Any],
    state: str,
    words: str,
) -> None:
    carry_out(ramped)
    desk.save(alice, **changes)
    desk.save(dana, off_variant="on")
    before = desk.configuration.document
    ramped = carry_out(ramped)
    assert (ramped.state, words in ramped.problem) == (state, True), ramped.problem
    assert desk.configuration.document == before


def test_a_paused_ramp__keeps_the_time_that_is_left(desk: Desk, dana: User, ramped: Plan) -> None:
    carry_out(ramped)
    common: dict[str, Any] = {"intent": Intent(acting(dana), at=desk.now)}
    commands.pause_plan(plan=ramped, **common)
    Plan.objects.filter(pk=ramped.pk).update(
        changed_at=datetime.now(UTC) - timedelta(hours=9),
        due_at=datetime.now(UTC) - timedelta(hours=9) + timedelta(minutes=20),
    )
    assert runner.carry_out_due() == 0
    plan = commands.resume_plan(plan=ramped, **common)
    assert plan.due_at is not None
    assert timedelta(minutes=19) < plan.due_at - datetime.now(UTC) <= timedelta(minutes=20)
    assert carry_out(plan).state == "finished"


def test_a_ramp_resumed_after_a_hand_on_it__goes_on_from_there(
    desk: Desk, dana: User, ramped: Plan
) -> None:
    carry_out(ramped)
    desk.save(dana, rules=[BY_HAND])
    carry_out(ramped)
    commands.resume_plan(plan=ramped, intent=Intent(acting(dana), at=desk.now))
    carry_out(ramped)
    assert share_now(desk) == 50


def test_a_cancelled_plan__does_nothing_any_more(desk: Desk, dana: User) -> None:
    plan = a_schedule(desk, dana)
    let_it_be_due(plan)
    commands.cancel_plan(plan=plan, intent=Intent(acting(dana), reason="not yet", at=desk.now))
    assert runner.carry_out_due() == 0
    assert not desk.configuration.enabled
    with pytest.raises(Invalid, match="over already"):
        commands.cancel_plan(plan=plan, intent=Intent(acting(dana), at=desk.now))


def test_pausing__takes_any_right_to_change_the_flag_and_resuming_the_plans_own(
    desk: Desk, shop: Project, dana: User, ramped: Plan
) -> None:
    qa, viewer = create_person("quinn"), create_person("victor")
    give_role(shop, qa, "qa")
    give_role(shop, viewer, "viewer")
    with pytest.raises(Forbidden):
        commands.pause_plan(plan=ramped, intent=Intent(acting(viewer), at=desk.now))
    commands.pause_plan(plan=ramped, intent=Intent(acting(qa), at=desk.now))
    with pytest.raises(Forbidden):
        commands.resume_plan(plan=ramped, intent=Intent(acting(qa), at=desk.now))


def test_an_author_who_may_no_longer__leaves_a_plan_that_rests(desk: Desk, dana: User) -> None:
    plan = a_schedule(desk, dana)
    dana.is_active = False
    dana.save()
    plan = carry_out(plan)
    assert not desk.configuration.enabled
    assert plan.is_paused
    assert "dana, who asked for this, may no longer" in plan.problem
    commands.resume_plan(plan=plan, intent=Intent(SETTING_UP, at=desk.now))
    assert carry_out(plan).state == "finished"  # whoever resumes answers for it


def test_a_freeze__holds_a_step_until_it_is_over(desk: Desk, dana: User) -> None:
    plan = a_schedule(desk, dana)
    freeze = freeze_now(desk.environment)
    for _twice in range(2):
        plan = carry_out(plan)
    assert plan.is_running
    assert "is frozen by “Weekend”" in plan.problem
    assert not desk.configuration.enabled
    assert events().count("flag.schedule_held") == 1
    end_freeze(freeze)
    assert carry_out(plan, timedelta(hours=30)).state == "finished"
    assert desk.configuration.enabled


def test_turning_off__is_not_held_by_a_freeze(desk: Desk, dana: User) -> None:
    desk.switch(dana, True)
    plan = a_schedule(desk, dana, "turn_off")
    freeze_now(desk.environment)
    carry_out(plan)
    assert not desk.configuration.enabled


def test_a_step_that_breaks__is_tried_again_and_blocks_nobody(
    desk: Desk, dana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, fine = a_schedule(desk, dana), a_schedule(desk, dana)
    save = configurations.save_configuration

    def break_one(**given: object) -> object:
        if f"schedule {broken.pk} " in str(given["intent"]):
            raise ZeroDivisionError
        return save(**given)  # type: ignore[arg-type]

    monkeypatch.setattr(configurations, "save_configuration", break_one)
    let_it_be_due(broken, timedelta(seconds=9))
    assert carry_out(fine).state == "finished"
    broken.refresh_from_db()
    assert (broken.failures, broken.is_running) == (1, True)
    assert runner.carry_out_due() == 0  # not at once again
    for _again in range(len(DELAYS)):
        broken = carry_out(broken) if broken.is_running else broken
    assert broken.is_paused
    assert "broke on our side" in broken.problem


def test_a_ramp__is_refused_where_its_share_is_not_there_or_taken(desk: Desk, dana: User) -> None:
    with pytest.raises(Invalid) as error:
        a_ramp(desk, dana)
    assert "target" in error.value.problems
    desk.save(dana, rules=[SHARED_RULE], enabled=True)
    a_ramp(desk, dana)
    with pytest.raises(Invalid, match="a ramp for this already"):
        a_ramp(desk, dana)


def test_a_ramp_that_could_not_work__is_refused_before_it_is_saved(desk: Desk, dana: User) -> None:
    desk.save(dana, rules=[RULE | {"audience": {"percent": 10}}], enabled=True)
    with pytest.raises(Invalid) as error:
        a_ramp(desk, dana)
    assert error.value.problems == {"steps[0].percent": "The share is 10 % now: start above it."}
    linear = {"from": 5, "to": 100, "duration_s": 3600, "interval_s": 60}
    with pytest.raises(Invalid) as error:
        create.create_ramp(
            flag=desk.flag,
            environment=desk.environment,
            document={"target": TARGET, "linear": linear},
            intent=Intent(acting(dana), at=desk.now),
        )
    assert "linear.from" in error.value.problems
    desk.save(dana, rules=[SHARED_RULE], enabled=False)
    with pytest.raises(Invalid, match="The flag is off in Production: turn it on first"):
        a_ramp(desk, dana)
    tomorrow = clock_text(datetime.now(UTC) + timedelta(days=1))
    assert a_ramp(desk, dana, starts=tomorrow, zone="UTC").is_running


def test_a_ramp_of_a_flag_that_is_off__names_nobody_who_did_not_turn_it_off(
    desk: Desk, dana: User
) -> None:
    desk.save(dana, rules=[SHARED_RULE])
    tomorrow = clock_text(datetime.now(UTC) + timedelta(days=1))
    ramp = carry_out(a_ramp(desk, dana, starts=tomorrow, zone="UTC"))
    assert (ramp.state, ramp.problem) == ("paused", "The flag is off.")
