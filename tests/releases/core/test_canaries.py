"""Canaries, routed by a flag and checked by telemetry: up by steps, or back by themselves."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.signing import Signer

from flags.core.definitions import archive_flag, edit_flag
from flags.delivery import progress
from flags.engine import compile_flag
from flags.models import Flag
from flags.schedules.create import create_ramp
from flags.segments.services import create_segment
from flags.transfer.importing.service import import_document
from portal.access.models import Environment, User
from portal.approvals.errors import Waiting
from portal.approvals.freezes.selectors import Frozen
from portal.approvals.freezes.services import stop_line
from portal.approvals.services import apply_request
from portal.audit.models import AuditEvent
from portal.lib import clock
from portal.lib.errors import Conflict, Forbidden, Invalid
from portal.lib.journal import Intent, WriteOptions
from releases.core import commands, situation
from releases.core.descriptions import hold_words, outcome_words, proof_words
from releases.core.models import Release
from tests.support.agreeing import TWO_ROLES, set_policy, vote, waiting
from tests.support.freezing import freeze_now
from tests.support.people import acting, create_person, give_role
from tests.support.releasing import (
    ERRORS,
    PLAN,
    ROUTE,
    a_release,
    fresh,
    let_pass,
    outcomes,
    roll_out,
    routed_by_flag,
    routing,
    routing_document,
    set_by_hand,
    tick,
)


def events(release: Release) -> list[str]:
    rows = AuditEvent.objects.filter(subject_kind="release", subject=str(release.pk))
    return [row.event.removeprefix("release.") for row in rows.order_by("sequence")]


def split(new: float, baseline: float) -> dict[str, object]:
    """Green is the new place; an equal slice of the others is named apart."""
    shares = [("green", new), ("blue", 100 - new - baseline), ("baseline", baseline)]
    rows = [{"variant": name, "weight": round(share * 1000)} for name, share in shares if share]
    return {"split": rows}


@pytest.fixture
def canary(development: Environment, alice: User) -> Release:
    return a_release(routed_by_flag(development), development, alice)


def test_a_canary__goes_up_by_its_steps_and_succeeds(canary: Release) -> None:
    assert (canary.state, canary.step) == ("running", 0)
    assert routing(canary) == split(5, 5)
    outcomes(canary, 500)
    assert tick(canary).step == 0  # it soaks
    moved = let_pass(canary, 61)
    assert (moved.step, routing(canary)) == (1, split(50, 50))
    outcomes(canary, 500)
    assert let_pass(canary, 61).step == 2
    assert routing(canary) == {"variant": "green"}
    outcomes(canary, 500)
    done = tick(canary)
    assert (done.state, done.outcome) == ("succeeded", "succeeded")
    assert done.due_at is not None  # the watch goes on
    outcomes(canary, 500)
    watched = let_pass(canary, 60)
    assert watched.due_at is not None
    assert watched.due_at > clock.database_now()  # and lets time go by
    outcomes(canary, 500)
    assert let_pass(canary, 3601).due_at is None
    assert events(canary) == [
        "planned",
        "started",
        "step_reached",
        "step_reached",
        "step_reached",
        "succeeded",
    ]


def test_a_canary_with_errors__is_taken_back_by_the_check_with_its_numbers(
    canary: Release,
) -> None:
    before = canary.before
    outcomes(canary, 200, errors=30)
    back = tick(canary)
    assert (back.state, back.because["check"]) == ("rolled_back", "errors")
    assert routing_document(canary) == before
    words = outcome_words(back)
    assert words == (
        "Rolled back by the check “errors”: 15 % errors, 30 of 200. "
        "Allowed: error rate at most 5 % over 5 min."
    )
    assert events(canary)[-2:] == ["rollback_started", "rolled_back"]
    assert tick(canary).state == "rolled_back"


def test_one_that_succeeded__goes_back_while_it_is_watched(canary: Release) -> None:
    for _step in range(2):
        outcomes(canary, 500)
        let_pass(canary, 61)
    outcomes(canary, 500)
    assert tick(canary).state == "succeeded"
    outcomes(canary, 500, errors=400)
    assert tick(canary).state == "rolled_back"
    assert routing(canary) == {"variant": "blue"}


def test_no_data__is_never_a_pass(canary: Release) -> None:
    held = let_pass(canary, 61)
    assert (held.state, held.step) == ("held", 0)
    assert [(one["cause"], one["wanting"]) for one in held.holds] == [("no_data", 100)]
    outcomes(canary, 99)
    assert tick(canary).holds[0]["wanting"] == 1
    outcomes(canary, 1)
    assert tick(canary).step == 1


def test_no_data__where_the_plan_says_so_takes_it_back_and_says_why(
    development: Environment, alice: User
) -> None:
    check = ERRORS | {"key": "{by} errors"}
    service = routed_by_flag(development, checks=(check,))
    plan = PLAN | {"on": {"no_data": "roll_back"}}
    found = let_pass(a_release(service, development, alice, plan=plan), 61)
    assert found.state == "rolled_back"
    assert outcome_words(found) == (
        "Rolled back as its plan says: the check “{by} errors” had too little data to be judged."
    )


def test_errors_of_before_the_step__count_for_nothing(canary: Release) -> None:
    outcomes(canary, 500)
    let_pass(canary, 61)
    assert fresh(canary).step == 1
    outcomes(canary, 50, errors=1)
    judged = tick(canary).checks["errors"]
    assert (judged["requests"], judged["errors"]) == (50, 1)


def test_a_person__takes_it_back_in_a_freeze_while_it_is_paused_and_in_hand(
    canary: Release, development: Environment
) -> None:
    person = create_person("gina")
    give_role(canary.project, person, "on_call_engineer")
    commands.pause(release=canary, intent=Intent(acting(person)))
    freeze_now(development)
    Release.objects.filter(pk=canary.pk).update(leased_until="2999-01-01T00:00:00Z", fence=7)
    back = commands.rollback(release=canary, intent=Intent(acting(person), "pages are blank"))
    assert (back.state, back.fence) == ("rolled_back", 8)
    assert routing(canary) == {"variant": "blue"}
    assert outcome_words(back) == "Rolled back by gina: pages are blank"
    row = AuditEvent.objects.get(event="release.rolled_back")
    assert (row.actor, row.reason) == ("gina", "pages are blank")
    again = commands.rollback(release=canary, intent=Intent(acting(person)))
    assert again.state == "rolled_back"


def test_on_call__takes_back_and_cannot_deploy(canary: Release, development: Environment) -> None:
    person = create_person("gina")
    give_role(canary.project, person, "on_call_engineer")
    intent = Intent(acting(person))
    for command in (commands.promote, commands.retry):
        with pytest.raises(Forbidden):
            command(release=canary, intent=intent)
    with pytest.raises(Forbidden):
        a_release(canary.service, development, person)  # type: ignore[arg-type]
    commands.pause(release=canary, intent=intent)
    with pytest.raises(Forbidden):
        commands.resume(release=canary, intent=intent)
    assert commands.abort(release=canary, intent=intent).state == "aborted"


def test_who_may_only_look__tells_it_nothing(canary: Release, bob: User) -> None:
    intent = Intent(acting(bob), "because")
    for tell in commands.TELL.values():
        more: dict[str, object] = {"step": 0} if tell is commands.jump_back else {}
        more = {"check": "errors"} if tell is commands.dismiss else more
        more = {"cohort": "staff"} if tell is commands.drop_cohort else more
        with pytest.raises((Forbidden, Invalid)):
            tell(release=canary, intent=intent, **more)
    assert fresh(canary).state == "running"


def test_a_pause__counts_neither_for_the_soak_nor_goes_on(canary: Release, alice: User) -> None:
    outcomes(canary, 500)
    commands.pause(release=canary, intent=Intent(acting(alice)))
    rests = let_pass(canary, 3600)
    assert (rests.state, rests.step) == ("paused", 0)
    commands.resume(release=canary, intent=Intent(acting(alice)))
    assert tick(canary).step == 0
    outcomes(canary, 500)
    assert let_pass(canary, 61).step == 1


def test_a_gate__waits_for_people_who_may(development: Environment, alice: User) -> None:
    plan = {"steps": [{"share": 5, "gate": True}, {"share": 100}]}
    release = a_release(routed_by_flag(development, checks=()), development, alice, plan=plan)
    waits = tick(release)
    assert (waits.state, waits.step) == ("waiting", 0)
    deployer = create_person("gina")
    give_role(release.project, deployer, "devops")
    with pytest.raises(Forbidden):
        commands.promote(release=release, intent=Intent(acting(deployer)))
    went = commands.promote(release=release, intent=Intent(acting(alice)))
    assert went.step == 1
    assert tick(release).outcome == "succeeded"


def test_a_share_set_by_hand__holds_it_and_says_who(
    canary: Release, alice: User, dana: User
) -> None:
    set_by_hand(canary, dana, {"variant": "green"})
    held = tick(canary)
    assert held.state == "held"
    assert held.holds[0]["about"] == "dana set the share to 100 % by hand."
    commands.retry(release=canary, intent=Intent(acting(alice)))
    assert routing(canary) == split(5, 5)
    set_by_hand(canary, dana, enabled=False)
    assert tick(canary).holds[0]["about"] == "dana turned the flag off."
    back = commands.rollback(release=canary, intent=Intent(acting(alice)))
    assert back.state == "rolled_back"
    assert not routing_document(canary)["enabled"]  # nothing turns on what a person turned off


def test_a_freeze__holds_it_by_its_plan(canary: Release, development: Environment) -> None:
    outcomes(canary, 500)
    freeze_now(development)
    held = let_pass(canary, 61)
    assert (held.state, held.step) == ("held", 0)
    assert held.holds[0] == held.holds[0] | {"cause": "freeze", "about": "Weekend"}


@pytest.mark.parametrize(
    ("way", "state", "step", "words"),
    [
        (
            "return",
            "rolled_back",
            0,
            "Rolled back as its plan says: the freeze Weekend is in force.",
        ),
        ("finish", "running", 1, ""),
    ],
)
def test_a_freeze__is_met_as_the_plan_says(
    development: Environment, alice: User, way: str, state: str, step: int, words: str
) -> None:
    service = routed_by_flag(development, checks=())
    release = a_release(service, development, alice, plan=PLAN | {"in_freeze": way})
    freeze_now(development)
    found = let_pass(release, 61)
    assert (found.state, found.step, outcome_words(found)) == (state, step, words)


@pytest.mark.parametrize("when", ["before it", "in it, for later"])
def test_overriding_a_freeze__by_who_may_not__is_not_kept_where_nothing_was_overridden(
    development: Environment, dana: User, when: str
) -> None:
    give_role(development.project, dana, "devops")
    intent = Intent(acting(dana), "soon", options=WriteOptions(override_freeze=True))
    service = routed_by_flag(development, checks=())
    if when == "before it":
        release = commands.start(
            release=a_release(service, development, dana, start=False), intent=intent
        )
        freeze_now(development)
        assert let_pass(release, 61).holds[0]["cause"] == "freeze"
        return
    tomorrow = (clock.database_now() + timedelta(days=1)).isoformat()
    later = a_release(service, development, dana, start=False, not_before=tomorrow)
    freeze_now(development)
    commands.start(release=later, intent=intent)
    assert tick(later).state == "planned"


def test_overriding_a_freeze__by_who_may__starts_it_and_lets_it_go_on(
    development: Environment, alice: User
) -> None:
    release = a_release(routed_by_flag(development, checks=()), development, alice, start=False)
    freeze_now(development)
    with pytest.raises(Frozen):
        commands.start(release=release, intent=Intent(acting(alice), "now"))
    options = WriteOptions(override_freeze=True)
    commands.start(release=release, intent=Intent(acting(alice), "hotfix", options=options))
    found = let_pass(release, 61)
    assert (found.state, found.step) == ("running", 1)


def test_a_start__waits_for_those_whom_the_policy_wants_and_begins_when_it_is_applied(
    production: Environment, alice: User, erin: User, frank: User
) -> None:
    release = a_release(routed_by_flag(production), production, alice, start=False)
    set_policy(production, **TWO_ROLES)
    with pytest.raises(Waiting) as error:
        commands.start(release=release, intent=Intent(acting(alice), "new checkout"))
    request = waiting(error)
    assert fresh(release).state == "planned"
    assert routing(release) == {"variant": "blue"}
    assert request.artefact == release.artefact.digest  # type: ignore[union-attr]
    vote(request, erin)
    vote(request, frank)
    request.refresh_from_db()
    if request.is_open:
        apply_request(request=request, intent=Intent(acting(alice)))
    begun = fresh(release)
    assert (begun.state, begun.approved_by) == ("running", ["erin", "frank"])
    assert routing(release) == split(5, 5)
    row = AuditEvent.objects.get(event="release.started")
    assert (row.requested_by, row.change_request) == ("alice", request.pk)
    outcomes(release, 500)
    assert let_pass(release, 61).step == 1  # the same agreement carries its steps


def test_a_second_release__starts_only_by_a_persons_word(
    canary: Release, development: Environment, alice: User
) -> None:
    assert canary.service is not None
    second = a_release(canary.service, development, alice, version="2.1", start=False)
    with pytest.raises(Conflict):
        commands.start(release=second, intent=Intent(acting(alice)))
    begun = commands.start(release=second, intent=Intent(acting(alice)), supersede=True)
    assert (begun.state, fresh(canary).state) == ("running", "superseded")
    assert routing(begun) == split(5, 5)


def test_the_same_version_with_another_digest__is_refused(
    canary: Release, development: Environment, alice: User
) -> None:
    assert canary.service is not None
    with pytest.raises(Conflict):
        a_release(
            canary.service,
            development,
            alice,
            start=False,
            artefact={"version": "2.0", "digest": "sha256:" + "b" * 64},
        )


def test_a_stopped_line__holds_it_whatever_was_agreed_and_lets_it_go_back(
    development: Environment, alice: User
) -> None:
    service = routed_by_flag(development, checks=())
    release = a_release(service, development, alice, plan=PLAN | {"in_freeze": "finish"})
    stop_line(environment=development, intent=Intent(acting(alice), "errors rise"))
    held = let_pass(release, 61)
    assert (held.state, held.holds[0]["cause"]) == ("held", "stopped")
    assert "alice has stopped the line in Development" in hold_words(held, held.holds[0])
    back = commands.rollback(release=release, intent=Intent(acting(alice)))
    assert back.state == "rolled_back"


def test_a_flag_of_its_own__is_turned_on_raised_and_turned_off_again(
    development: Environment, new_checkout: Flag, dana: User
) -> None:
    release = roll_out(new_checkout, development, dana)
    assert routing_document(release)["enabled"]
    assert routing(release) == {
        "split": [{"variant": "on", "weight": 5000}, {"variant": "off", "weight": 95_000}]
    }
    outcomes(release, 200, errors=100)
    assert let_pass(release, 61).step == 1  # nothing counts errors here
    back = commands.rollback(release=release, intent=Intent(acting(dana)))
    assert back.state == "rolled_back"
    assert routing_document(release) == release.before
    assert not routing_document(release)["enabled"]


def test_a_flag_that_a_release_moves__is_moved_by_nothing_else(
    development: Environment, new_checkout: Flag, dana: User
) -> None:
    target = {"part": "split", "rule": ""}
    ramp = {"target": target, "steps": [{"percent": 60, "after_s": 0}]}
    release = roll_out(new_checkout, development, dana)
    with pytest.raises(Invalid, match=f"Release {release.pk}, new-checkout on, moves this flag"):
        create_ramp(
            flag=new_checkout,
            environment=development,
            document=ramp,
            intent=Intent(acting(dana)),
        )


def test_cohorts__get_it_before_any_share_does(
    development: Environment, new_checkout: Flag, dana: User
) -> None:
    everyone = {"key": "staff", "name": "Staff"}
    create_segment(project=development.project, document=everyone, intent=Intent(acting(dana)))
    release = roll_out(new_checkout, development, dana, plan=PLAN | {"cohorts": ["staff"]})
    document = routing_document(release)
    assert document["fallthrough"] == {"variant": "off"}
    tester, rule = document["rules"]
    assert rule["when"] == {"any": [{"segment": "staff"}]}
    assert rule["serve"] == {"variant": "on"}
    assert let_pass(release, 61).step == 1
    assert routing_document(release)["rules"] == [tester, rule]
    back = commands.rollback(release=release, intent=Intent(acting(dana)))
    assert back.before == routing_document(release)


def test_a_gradual_return__goes_down_by_the_steps_and_at_once_where_it_still_fails(
    development: Environment, alice: User
) -> None:
    plan = PLAN | {"return_strategy": "gradual", "return_within_s": 120}
    release = a_release(routed_by_flag(development), development, alice, plan=plan)
    outcomes(release, 500)
    let_pass(release, 61)
    outcomes(release, 500, errors=300)
    back = tick(release)
    assert (back.state, routing(release)) == ("rolling_back", split(5, 5))
    outcomes(release, 200)
    assert tick(release).state == "rolled_back"  # nothing fails: the last step down
    again = a_release(release.service, development, alice, plan=plan, version="2.1")  # type: ignore[arg-type]
    outcomes(again, 500)
    let_pass(again, 61)
    outcomes(again, 500, errors=300)
    assert tick(again).state == "rolling_back"
    outcomes(again, 500, errors=300)
    assert tick(again).state == "rolled_back"


def test_going_back_to_an_earlier_step__takes_no_approval_and_measures_anew(
    canary: Release, alice: User
) -> None:
    outcomes(canary, 500)
    let_pass(canary, 61)
    commands.jump_back(release=canary, intent=Intent(acting(alice)), step=0)
    assert routing(canary) == split(5, 5)
    now = fresh(canary)
    assert (now.step, now.attempt, now.checks) == (0, 2, {})


def test_a_failing_signal__holds_and_can_be_dismissed_once(
    development: Environment, alice: User
) -> None:
    check = {"key": "errors", "kind": "error_rate", "threshold": 5, "role": "signal"}
    release = a_release(routed_by_flag(development, checks=(check,)), development, alice)
    outcomes(release, 200, errors=100)
    held = let_pass(release, 61)
    assert [one["cause"] for one in held.holds] == ["regression"]
    intent = Intent(acting(alice), "a known fault of the load test")
    commands.dismiss(release=release, intent=intent, check="errors")
    assert tick(release).step == 1
    outcomes(release, 200, errors=100)
    assert [one["cause"] for one in tick(release).holds] == ["regression"]


def test_a_product_manager__rolls_out_a_flag_and_deploys_nothing(
    development: Environment, new_checkout: Flag
) -> None:
    person = create_person("gina")
    give_role(new_checkout.project, person, "product_manager")
    assert roll_out(new_checkout, development, person).state == "running"
    with pytest.raises(Forbidden):
        a_release(routed_by_flag(development), development, person)


def test_one_cohort__is_taken_back_alone(
    development: Environment, new_checkout: Flag, dana: User
) -> None:
    for key in ("staff", "beta"):
        create_segment(
            project=development.project, document={"key": key}, intent=Intent(acting(dana))
        )
    release = roll_out(new_checkout, development, dana, plan=PLAN | {"cohorts": ["staff", "beta"]})
    commands.drop_cohort(release=release, intent=Intent(acting(dana)), cohort="staff")
    assert cohorts_of(release) == ["beta"]
    assert let_pass(release, 61).step == 1
    assert cohorts_of(release) == ["beta"]


def cohorts_of(release: Release) -> list[str]:
    rules = {rule["id"]: rule for rule in routing_document(release)["rules"]}
    return [one["segment"] for one in rules["release-cohorts"]["when"]["any"]]


def test_a_tester__gets_it_by_the_token_alone(canary: Release) -> None:
    document = routing_document(canary) | {"key": "f", "client_visible": False, "version": 1}
    flag = compile_flag(document | {"value_type": "string", "variants": ROUTE["variants"]})
    token = canary.router["tester"]
    for number in range(50):
        context = {"targetingKey": f"u-{number}", "aviary_tester": token}
        assert flag.evaluate(context).variant == "green"
    found = {
        flag.evaluate({"targetingKey": f"u-{n}", "aviary_tester": "made up"}).variant
        for n in range(200)
    }
    assert "blue" in found


def test_a_testers_token__is_signed_for_one_release_and_changes_nothing_after_it(
    canary: Release, alice: User
) -> None:
    token = canary.router["tester"]
    assert Signer(salt="releases.tester", sep=".").unsign(token) == str(canary.pk)
    assert token in str(routing_document(canary))
    commands.rollback(release=canary, intent=Intent(acting(alice)))
    assert "release-testers" not in str(routing_document(canary))
    assert canary.service is not None
    again = a_release(canary.service, canary.environment, alice, version="2.1")
    assert again.router["tester"] != token
    assert token not in str(routing_document(again))
    promoted = commands.promote_fully(release=again, intent=Intent(acting(alice), "good"))
    assert "release-testers" not in str(routing_document(promoted))


def test_a_proof_of_return__that_is_broken_off__is_not_called_being_tried(
    production: Environment, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "is_live", lambda _ids: True)
    plan = {"steps": PLAN["steps"]}
    release = a_release(routed_by_flag(production), production, alice, plan=plan)
    tick(release)
    assert proof_words(fresh(release)) == "Rollback test: running."
    retried = commands.retry(release=release, intent=Intent(acting(alice)))
    assert proof_words(retried) == "Rollback test: not done yet."
    tick(release)
    commands.promote(release=release, intent=Intent(acting(alice)))
    assert proof_words(fresh(release)) == "Rollback test: not done."


def test_proof_of_return__goes_up_and_back_and_up_before_anything_counts(
    production: Environment, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "is_live", lambda _ids: True)
    plan = {"steps": PLAN["steps"]}  # nothing said of it: in production it is shown
    release = a_release(routed_by_flag(production), production, alice, plan=plan)
    assert release.parsed_plan.proof_of_return
    assert routing(release) == split(5, 5)
    tick(release)
    assert routing_document(release) == release.before
    tried = tick(release)
    assert routing(release) == split(5, 5)
    assert tried.proof["took_s"] >= 0
    assert tried.entered_at is not None
    assert proof_words(tried) == "Rollback test: passed, in 1 s."
    said = ["planned", "started", "step_reached", "proving", "proven"]
    assert events(release) == said
    outcomes(release, 500)
    assert let_pass(release, 61).step == 1


def test_a_release_whose_tick_raises__delays_no_other_and_is_tried_again(
    canary: Release, development: Environment, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = a_release(routed_by_flag(development, "search", checks=()), development, alice)
    judged = situation.judged

    def broken(release: Release, *rest: Any) -> Any:
        if release.pk == canary.pk:
            raise RuntimeError("broken")
        return judged(release, *rest)

    monkeypatch.setattr(situation, "judged", broken)
    let_pass(canary, 61)
    let_pass(other, 61)
    assert fresh(other).step == 1
    stuck = fresh(canary)
    assert (stuck.step, stuck.problem) == (0, "It broke on our side; the log has the details.")
    monkeypatch.undo()
    outcomes(canary, 500)
    assert let_pass(canary, 61).step == 1


def test_superseding__is_agreed_to_with_the_start(
    production: Environment, alice: User, erin: User, frank: User
) -> None:
    service = routed_by_flag(production, checks=())
    first = a_release(service, production, alice)
    second = a_release(service, production, alice, version="2.1", start=False)
    set_policy(production, **TWO_ROLES)
    with pytest.raises(Waiting) as error:
        commands.start(release=second, intent=Intent(acting(alice)), supersede=True)
    assert fresh(first).state == "running"
    request = waiting(error)
    vote(request, erin)
    vote(request, frank)
    request.refresh_from_db()
    if request.is_open:
        apply_request(request=request, intent=Intent(acting(alice)))
    assert (fresh(first).state, fresh(second).state) == ("superseded", "running")


def test_superseding__ends_the_release_that_was_agreed_to_end_and_no_other(
    production: Environment, alice: User, erin: User, frank: User
) -> None:
    service = routed_by_flag(production, checks=())
    first = a_release(service, production, alice)
    second, hotfix = (
        a_release(service, production, alice, version=version, start=False)
        for version in ("2.1", "2.2")
    )
    set_policy(production, **TWO_ROLES)
    with pytest.raises(Waiting) as error:
        commands.start(release=second, intent=Intent(acting(alice)), supersede=True)
    request = waiting(error)
    assert f"Release {first.pk}, checkout 2.0, ends for it." in request.words
    commands.rollback(release=first, intent=Intent(acting(alice)))
    Release.objects.filter(pk=hotfix.pk).update(state="running", started_at=hotfix.created_at)
    vote(request, erin)
    vote(request, frank)
    assert (fresh(hotfix).state, fresh(second).state) == ("running", "planned")


def test_a_flag_that_a_release_moves__is_not_archived_before_it_is_taken_back(
    canary: Release, alice: User
) -> None:
    flag, intent = canary.project.flags.get(key="checkout-route"), Intent(acting(alice))
    with pytest.raises(Invalid, match=f"Release {canary.pk}, checkout 2.0, moves this flag now"):
        archive_flag(flag=flag, intent=intent)
    commands.rollback(release=canary, intent=intent)
    archive_flag(flag=flag, intent=intent)


def test_a_step_that_is_refused__holds_it_with_the_reason_and_is_said_once(
    development: Environment, new_checkout: Flag
) -> None:
    person = create_person("gina")
    grant = give_role(new_checkout.project, person, "product_manager")
    release = roll_out(new_checkout, development, person)
    grant.delete()
    let_pass(release, 61)
    tick(release)
    held = tick(release)
    assert (held.state, held.holds[0]["cause"]) == ("held", "problem")
    said = hold_words(held, held.holds[0])
    assert said.startswith("gina, who asked for this, may no longer")
    assert said.endswith(". Roll it back, or release it anew.")
    assert events(release).count("step_failed") == 1


def test_dismissing_a_failure__under_a_policy_is_agreed_to(
    production: Environment, alice: User, erin: User, frank: User
) -> None:
    check = {"key": "errors", "kind": "error_rate", "threshold": 5, "role": "signal"}
    release = a_release(routed_by_flag(production, checks=(check,)), production, alice)
    outcomes(release, 200, errors=100)
    tick(release)
    set_policy(production, **TWO_ROLES)
    with pytest.raises(Waiting) as error:
        commands.dismiss(release=release, intent=Intent(acting(alice), "known"), check="errors")
    request = waiting(error)
    assert not fresh(release).checks["errors"]["dismissed"]
    vote(request, erin)
    vote(request, frank)
    request.refresh_from_db()
    if request.is_open:
        apply_request(request=request, intent=Intent(acting(alice)))
    assert fresh(release).checks["errors"]["dismissed"]


def test_a_check_of_the_plan_instead_of_the_services_own__is_read_by_who_approves(
    production: Environment, alice: User, erin: User, frank: User
) -> None:
    weak = {"key": "errors", "kind": "error_rate", "threshold": 99, "role": "dry_run"}
    release = a_release(
        routed_by_flag(production), production, alice, start=False, plan=PLAN | {"checks": [weak]}
    )
    set_policy(production, **TWO_ROLES)
    with pytest.raises(Waiting) as error:
        commands.start(release=release, intent=Intent(acting(alice)))
    words = " ".join(waiting(error).words)
    assert "This replaces the service's own check with that key." in words


def test_a_variant_that_a_release_goes_back_to__is_not_edited_away(
    canary: Release, alice: User
) -> None:
    flag = canary.project.flags.get(key=canary.router["flag"])
    for _step in range(2):
        outcomes(canary, 500)
        let_pass(canary, 61)
    assert routing(canary) == {"variant": "green"}
    for row in flag.configurations.all():
        green = {"off_variant": "green", "fallthrough": {"variant": "green"}}
        row.targeting = {**row.targeting, **green}
        row.save()
    rest = [one for one in flag.variants if one["key"] not in ("blue", "baseline")]
    blue, baseline = ({"key": key, "value": key} for key in ("blue", "baseline"))
    intent = Intent(acting(alice))
    who = f"Release {canary.pk}, checkout 2.0, still needs"
    for variants, needed in (
        ([*rest, baseline], "blue"),
        ([*rest, baseline, blue | {"value": "red"}], "blue"),
        ([*rest, blue], "baseline"),  # by which it would go back gradually
    ):
        document = {**flag.document, "variants": variants}
        with pytest.raises(Invalid, match=f"{who} {needed} as it is."):
            edit_flag(flag=flag, document=document, expected_version=flag.version, intent=intent)
        report = import_document(
            format_name="native",
            document={**flag.document, "variants": variants},
            environment=canary.environment,
            mode="merge",
            dry_run=False,
            intent=intent,
        )
        assert f"{who} {needed} as it is." in report.skipped[0].reason
    told = [*rest, baseline, blue | {"description": "The blue place"}]
    document = {**flag.document, "variants": told}
    flag = edit_flag(flag=flag, document=document, expected_version=flag.version, intent=intent)
    Release.objects.filter(pk=canary.pk).update(due_at=None)  # once its watch is over
    document = {**flag.document, "variants": rest}
    edit_flag(flag=flag, document=document, expected_version=flag.version, intent=intent)
