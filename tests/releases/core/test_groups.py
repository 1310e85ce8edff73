"""Releases in lockstep: nobody goes on alone, and one failure takes all back in reverse order."""

from datetime import timedelta

import pytest

from portal.access.models import Environment, User
from portal.approvals.services import apply_request
from portal.audit.models import AuditEvent
from portal.lib import clock
from portal.lib.errors import Forbidden, Invalid
from portal.lib.journal import Intent
from portal.runs import runner as runs
from releases.core import commands, runner
from releases.core.descriptions import outcome_words
from releases.core.models import Release, ReleaseGroup, StepExecution
from releases.groups import planning, selectors
from tests.support.agreeing import TWO_ROLES, set_policy, vote
from tests.support.grouping import (
    KEYS,
    a_group,
    a_member,
    ended,
    held_by,
    look,
    members,
    pass_time,
    states,
    steps,
    tell,
)
from tests.support.people import acting, create_person, give_role
from tests.support.releasing import ERRORS, PLAN, a_release, outcomes, routed_by_flag, routing

pytestmark = pytest.mark.django_db


@pytest.fixture
def group(development: Environment, alice: User) -> ReleaseGroup:
    made = a_group(development, alice)
    look(made)
    return made


def intent(person: User, reason: str = "because") -> Intent:
    return Intent(acting(person), reason)


def test_a_group__takes_each_step_together_and_succeeds(group: ReleaseGroup) -> None:
    assert (states(group), steps(group)) == (["running"] * 3, [0, 0, 0])
    for step in (1, 2):
        pass_time(group, 61)
        look(group)
        assert steps(group) == [step] * 3
    look(group)
    assert states(group) == ["succeeded"] * 3
    assert selectors.state_of(group, members(group)) == "succeeded"
    assert StepExecution.objects.count() == 9


def test_nobody__takes_a_step_before_all_have_finished_the_last(group: ReleaseGroup) -> None:
    _shop, cart, _mail = members(group)
    pass_time(group, 61, only=0)
    pass_time(group, 61, only=2)
    look(group)
    assert steps(group) == [0, 0, 0]
    now = members(group)
    assert [one.finished for one in now] == [0, -1, 0]
    waits = f"Waits for release {cart.pk}, cart 2.0: it has not finished step 1 yet."
    assert [held_by(one) for one in now] == [[waits], [], [waits]]
    assert [one.state for one in now] == ["running"] * 3  # it is not held, and nobody is told
    pass_time(group, 61, only=1)
    due = Release.objects.filter(pk=cart.pk)
    due.update(due_at=clock.database_now())
    runner.tick_due()
    runner.tick_due()  # the others are made due by it
    assert steps(group) == [1, 1, 1]


def test_one_with_fewer_steps__has_finished_all_once_it_has_succeeded(
    development: Environment, alice: User
) -> None:
    short = PLAN | {"steps": [{"share": 50, "soak_s": 60}, {"share": 100}]}
    group = a_group(
        development,
        alice,
        a_member(development, "shop"),
        a_member(development, "cart", plan=short),
    )
    look(group)
    pass_time(group, 61)
    look(group)
    assert steps(group) == [1, 1]
    assert states(group) == ["running", "running"]  # the last step waits as well
    pass_time(group, 61)
    look(group)
    assert states(group) == ["succeeded", "succeeded"]


@pytest.mark.parametrize("who", range(3))
@pytest.mark.parametrize("step", range(3))
def test_a_failure_at_any_step__takes_all_back_in_reverse_order(
    development: Environment, alice: User, who: int, step: int
) -> None:
    documents = [a_member(development, key, checks=(ERRORS,)) for key in KEYS]
    group = a_group(development, alice, *documents)
    look(group)
    for _step in range(step):
        for one in members(group):
            outcomes(one, 200)
        pass_time(group, 61)
        look(group)
    assert steps(group) == [step] * 3
    bad = members(group)[who]
    outcomes(bad, 200, errors=100)
    look(group)
    assert states(group) == ["rolled_back"] * 3
    others = [one.title for one in members(group) if one.pk != bad.pk]
    assert ended(group) == [bad.title, *others[::-1]]
    for one in members(group):
        assert routing(one) == {"variant": "blue"}
        because = {"cause": "group", "about": bad.title, "to": "rolled_back"}
        assert one.pk == bad.pk or one.because == because
    other = members(group)[who - 1]
    assert outcome_words(other) == f"Rolled back with its group, because of {bad.title}."
    group.refresh_from_db()
    assert selectors.state_of(group, members(group)) == "rolled_back"
    row = AuditEvent.objects.get(event="release_group.failed")
    assert row.subject == str(group.pk)
    assert ended(group) == [bad.title, *others[::-1]]  # each once


def test_one_that_waits_for_a_router__is_waited_for_by_those_in_front_of_it(
    development: Environment, alice: User
) -> None:
    by_hand = routed_by_hand(development, "cart")
    group = a_group(
        development,
        alice,
        a_member(development, "shop"),
        by_hand,
        a_member(development, "mail"),
    )
    look(group)
    _shop, cart, mail = members(group)
    commands.confirm(release=cart, intent=intent(alice))
    commands.rollback(release=mail, intent=intent(alice))
    look(group)
    assert states(group) == ["running", "rolling_back", "rolled_back"]
    said = f"It goes back with its group, after release {cart.pk}, cart 2.0."
    assert held_by(members(group)[0]) == [said]
    assert selectors.state_of(fresh(group), members(group)) == "rolling_back"
    commands.confirm(release=cart, intent=intent(alice))
    look(group)
    assert states(group) == ["rolled_back"] * 3
    assert ended(group) == ["mail 2.0", "cart 2.0", "shop 2.0"]


def routed_by_hand(place: Environment, key: str) -> dict[str, object]:
    from tests.support.releasing import a_service, a_setup

    member = a_member(place, f"{key}-other") | {"service": key}
    a_setup(a_service(place.project, key), place)
    return member


def fresh(group: ReleaseGroup) -> ReleaseGroup:
    return ReleaseGroup.objects.get(pk=group.pk)


def test_one_that_succeeded__goes_back_within_its_watch_and_stays_after_it(
    development: Environment, alice: User
) -> None:
    at_once = PLAN | {"steps": [{"share": 100}]}
    group = a_group(
        development,
        alice,
        a_member(development, "shop", plan=at_once),
        a_member(development, "cart"),
        a_member(development, "mail", plan=at_once),
    )
    look(group)
    pass_time(group, 61)
    look(group)
    assert states(group) == ["succeeded", "running", "succeeded"]
    pass_time(group, 3601, only=0)
    look(group)
    commands.abort(release=members(group)[1], intent=intent(alice))
    look(group)
    assert states(group) == ["succeeded", "aborted", "rolled_back"]
    row = AuditEvent.objects.get(event="release_group.failed")
    assert row.after_document is not None
    assert row.after_document["stay"] == ["shop 2.0"]
    shop = members(group)[0]
    assert selectors.state_of(fresh(group), members(group)) == "rolled_back"
    assert routing(shop) == {"variant": "green"}


def test_a_watch_that_ends_while_it_waits_for_its_turn__counts_as_it_was_when_the_group_failed(
    development: Environment, alice: User
) -> None:
    at_once = PLAN | {"steps": [{"share": 100}]}
    group = a_group(
        development,
        alice,
        a_member(development, "shop", plan=at_once),
        routed_by_hand(development, "cart"),
    )
    look(group)
    cart = members(group)[1]
    commands.confirm(release=cart, intent=intent(alice))
    pass_time(group, 61)
    look(group)
    assert states(group) == ["succeeded", "waiting"]  # for somebody to move it on
    commands.rollback(release=cart, intent=intent(alice))
    Release.objects.filter(group=group, position=0).update(
        watch_until=clock.database_now() + timedelta(milliseconds=1)
    )
    look(group)
    assert states(group) == ["succeeded", "rolling_back"]
    commands.confirm(release=cart, intent=intent(alice))
    look(group)
    assert states(group) == ["rolled_back", "rolled_back"]


def test_members_that_have_not_begun__are_aborted(development: Environment, alice: User) -> None:
    group = a_group(development, alice, start=False)
    shop, cart, _mail = members(group)
    commands.start(release=shop, intent=intent(alice))
    look(group)
    waits = f"Waits for release {cart.pk}, cart 2.0: nobody has started it. 1 other lags as well."
    assert (states(group), held_by(members(group)[0])) == (["planned"] * 3, [waits])
    commands.abort(release=cart, intent=intent(alice))
    look(group)
    assert states(group) == ["aborted"] * 3
    assert outcome_words(members(group)[2]) == "Aborted with its group, because of cart 2.0."
    assert selectors.state_of(fresh(group), members(group)) == "aborted"


def test_where_votes_are_wanted_of_one__all_wait_for_it(
    development: Environment, production: Environment, alice: User, erin: User, frank: User
) -> None:
    group = a_group(
        development,
        alice,
        a_member(development, "shop"),
        a_member(production, "cart", plan=PLAN | {"proof_of_return": False}),
        start=False,
    )
    set_policy(production, **TWO_ROLES)
    (waiting,) = tell(group, "start", alice)
    look(group)
    there = members(group)[1]
    waits = f"Waits for release {there.pk}, cart 2.0: it is not approved yet."
    assert (states(group), held_by(members(group)[0])) == (["planned"] * 2, [waits])
    assert selectors.state_of(group, members(group)) == "waiting"
    words = " ".join(waiting.request.words)
    assert "It moves in step with its group “checkout”" in words
    vote(waiting.request, erin)
    vote(waiting.request, frank)
    waiting.request.refresh_from_db()
    if waiting.request.is_open:
        apply_request(request=waiting.request, intent=intent(alice))
    look(group)
    assert (states(group), steps(group)) == (["running"] * 2, [0, 0])
    pass_time(group, 61)
    look(group)
    assert steps(group) == [1, 1]


def test_one_for_later__is_waited_for_by_all(development: Environment, alice: User) -> None:
    tomorrow = (clock.database_now() + timedelta(days=1)).isoformat()
    group = a_group(
        development,
        alice,
        a_member(development, "shop"),
        a_member(development, "cart", not_before=tomorrow),
    )
    look(group)
    assert states(group) == ["planned"] * 2
    assert held_by(members(group)[0])[0].endswith("UTC.")
    Release.objects.filter(group=group).update(not_before=None)
    look(group)
    assert states(group) == ["running"] * 2


def test_a_group_at_its_gates__is_promoted_together(development: Environment, alice: User) -> None:
    gated = PLAN | {"steps": [{"share": 5, "gate": True}, {"share": 100}]}
    group = a_group(
        development,
        alice,
        a_member(development, "shop", plan=gated),
        a_member(development, "cart"),
    )
    look(group)
    shop, _cart = members(group)
    assert (shop.state, shop.step) == ("waiting", 0)
    with pytest.raises(Invalid, match="It moves with its group “checkout”: promote"):
        commands.promote(release=shop, intent=intent(alice))
    deployer = create_person("gina")
    give_role(group.project, deployer, "devops")
    with pytest.raises(Forbidden):
        tell(group, "promote", deployer)
    tell(group, "promote", alice)
    look(group)
    assert steps(group) == [0, 0]  # it has passed its gate, and waits for the other
    pass_time(group, 61)
    look(group)
    assert steps(group) == [1, 1]
    with pytest.raises(Invalid, match="No member waits at a gate"):
        tell(group, "promote", alice)


def test_a_promotion_that_others_have_to_agree_to__goes_through_its_own_request(
    production: Environment, alice: User, erin: User, frank: User
) -> None:
    plan = {"proof_of_return": False, "steps": [{"share": 5, "gate": True}, {"share": 100}]}
    documents = [a_member(production, key, plan=plan) for key in KEYS]
    group = a_group(production, alice, *documents)
    look(group)
    set_policy(production, **TWO_ROLES)
    found = tell(group, "promote", alice)
    assert len(found) == 3
    for one in found:
        assert steps(group) == [0, 0, 0]
        vote(one.request, erin)
        vote(one.request, frank)
        one.request.refresh_from_db()
        if one.request.is_open:
            apply_request(request=one.request, intent=intent(alice))
        look(group)
    assert steps(group) == [1, 1, 1]
    look(group)
    assert states(group) == ["succeeded"] * 3


def test_a_pause_of_one__holds_all_at_the_barrier(group: ReleaseGroup, alice: User) -> None:
    pass_time(group, 61, only=0)
    look(group)
    commands.pause(release=members(group)[0], intent=intent(alice))
    pass_time(group, 61)
    look(group)
    assert steps(group) == [0, 0, 0]
    shop = members(group)[0]
    waits = f"Waits for release {shop.pk}, shop 2.0: it is paused."
    assert held_by(members(group)[1]) == [waits]
    commands.resume(release=shop, intent=intent(alice))
    pass_time(group, 61)
    look(group)
    assert steps(group) == [1, 1, 1]
    tell(group, "pause", alice)
    assert states(group) == ["paused"] * 3
    tell(group, "resume", alice)
    assert states(group) == ["running"] * 3


@pytest.mark.parametrize("command", ["promote", "promote_fully", "jump_back"])
def test_a_member__does_not_go_on_or_back_alone(
    group: ReleaseGroup, alice: User, command: str
) -> None:
    pass_time(group, 61)
    look(group)
    more = {"step": 0} if command == "jump_back" else {}
    with pytest.raises(Invalid, match="It moves with its group “checkout”"):
        commands.TELL[command](release=members(group)[0], intent=intent(alice), **more)
    assert steps(group) == [1, 1, 1]


@pytest.mark.parametrize(("command", "state"), [("rollback", "rolled_back"), ("abort", "aborted")])
def test_people__take_the_whole_group_back_at_once(
    group: ReleaseGroup, alice: User, command: str, state: str
) -> None:
    tell(group, command, alice, "pages are blank")
    assert states(group) == [state] * 3
    assert ended(group) == ["mail 2.0", "cart 2.0", "shop 2.0"]
    assert members(group)[0].because["by"] == "alice"
    assert members(group)[0].because["person"]
    tell(group, command, alice)  # again: nothing more happens
    assert len(ended(group)) == 3
    assert AuditEvent.objects.filter(event=f"release_group.{state}").count() == 1


def test_who_may_not_take_back_one__takes_back_none(
    development: Environment, production: Environment, alice: User
) -> None:
    group = a_group(
        development,
        alice,
        a_member(development, "shop"),
        a_member(production, "cart"),
    )
    look(group)
    helper = create_person("gina")
    give_role(group.project, helper, "on_call_engineer", environment=development)
    for command in ("rollback", "abort", "pause"):
        with pytest.raises(Forbidden):
            tell(group, command, helper)
    assert states(group) == ["running"] * 2
    assert fresh(group).failed_at is None


@pytest.mark.parametrize("point", ["after-claim", "after-call", "before-commit", "after-commit"])
def test_a_worker_that_dies_in_between__is_made_up_for_by_the_next(
    group: ReleaseGroup, alice: User, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    commands.rollback(release=members(group)[1], intent=intent(alice))
    for _death in range(3):
        with monkeypatch.context() as patched:
            patched.setattr(runs, "failpoint", killed_at(point))
            with pytest.raises(Killed):
                look(group)
    look(group)
    assert states(group) == ["rolled_back"] * 3
    assert ended(group) == ["cart 2.0", "mail 2.0", "shop 2.0"]
    started = AuditEvent.objects.filter(event="release.rollback_started")
    assert started.count() == 3


@pytest.mark.parametrize("point", ["after-claim", "after-call", "before-commit", "after-commit"])
def test_a_worker_that_dies_at_the_barrier__takes_no_step_twice_and_none_alone(
    group: ReleaseGroup, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    pass_time(group, 61)
    for _death in range(4):
        with monkeypatch.context() as patched:
            patched.setattr(runs, "failpoint", killed_at(point))
            with pytest.raises(Killed):
                look(group)
        finished = [one.finished for one in members(group)]
        assert max(steps(group)) <= min(finished) + 1
    look(group)
    assert steps(group) == [1, 1, 1]
    assert StepExecution.objects.count() == 6


class Killed(BaseException):
    """As SIGKILL: nothing of the process goes on."""


def killed_at(point: str):  # type: ignore[no-untyped-def]
    def die(name: str) -> None:
        if name == point:
            raise Killed

    return die


def test_a_member_that_another_release_supersedes__takes_its_group_back(
    group: ReleaseGroup, development: Environment, alice: User
) -> None:
    service = members(group)[1].service
    assert service is not None
    newer = a_release(service, development, alice, version="3.0", start=False)
    commands.start(release=newer, intent=intent(alice), supersede=True)
    look(group)
    assert states(group) == ["rolled_back", "superseded", "rolled_back"]


def test_a_group__is_planned_whole_or_not_at_all_and_names_each_problem(
    development: Environment, alice: User
) -> None:
    shop, cart = a_member(development, "shop"), a_member(development, "cart")
    bad = cart | {"artefact": {"version": "", "digest": "none"}, "environment": "nowhere"}
    document = {"name": "checkout", "members": [shop, bad, shop, {"release": 999}, "mail"]}
    with pytest.raises(Invalid) as error:
        planning.plan_group(project=development.project, document=document, intent=intent(alice))
    assert error.value.problems == {
        "members[1].environment": "There is no such environment in this project.",
        "members[2]": "It moves the same as members[0]. Take one of the two.",
        "members[3].release": "There is no such release.",
        "members[4]": "Send a JSON object.",
    }
    assert not Release.objects.exists()
    assert not ReleaseGroup.objects.exists()
    with pytest.raises(Invalid) as error:
        planning.plan_group(
            project=development.project,
            document={"name": "checkout", "members": [shop, bad | {"environment": "development"}]},
            intent=intent(alice),
        )
    assert {path.rsplit(".", 1)[0] for path in error.value.problems} == {"members[1].artefact"}


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"name": " ", "members": [{}, {}]},
        {"name": "x", "members": 3},
        {"name": "x", "members": [{}]},
        {"name": "x", "members": [{}] * 21},
        {"name": "x", "members": [{}, {}], "who": 1},
    ],
)
def test_a_document_that_is_no_group__is_refused(
    development: Environment, alice: User, document: object
) -> None:
    with pytest.raises(Invalid):
        planning.plan_group(project=development.project, document=document, intent=intent(alice))


def test_planned_releases__become_a_group_and_those_under_way_do_not(
    development: Environment, alice: User
) -> None:
    services = [routed_by_flag(development, key, checks=()) for key in KEYS]
    shop, cart = [a_release(one, development, alice, start=False) for one in services[:2]]
    moving = a_release(services[2], development, alice)
    numbers = [{"release": one.pk} for one in (cart, shop)]
    document = {"name": "two", "members": [*numbers, {"release": moving.pk}]}
    with pytest.raises(Invalid, match="It has been started already"):
        planning.plan_group(project=development.project, document=document, intent=intent(alice))
    document["members"] = numbers
    made = planning.plan_group(project=development.project, document=document, intent=intent(alice))
    assert [one.pk for one in members(made)] == [cart.pk, shop.pk]
    with pytest.raises(Invalid, match="It is in a group already"):
        planning.plan_group(project=development.project, document=document, intent=intent(alice))
