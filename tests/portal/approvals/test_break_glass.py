"""What an emergency change goes back to: what was agreed to last, whatever came in between."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flags import services as flags
from flags.models import ExclusionGroup, Flag, FlagConfiguration, Segment
from flags.services.key_lists import KeyChange, Mode
from portal.access.models import Environment, Project, User
from portal.approvals import services
from portal.approvals.changes import Terms
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest, Emergency, EmergencyLog, Policy
from portal.approvals.services import emergencies
from portal.audit.models import AuditEvent
from portal.letters.models import Letter
from portal.lib import clock
from portal.lib.errors import Invalid
from tests.flags.services.writes import RULE, Desk
from tests.portal.approvals.racing import at_once
from tests.support.agreeing import TWO_ROLES, set_policy, vote, waiting
from tests.support.freezing import freeze_now
from tests.support.people import acting, create_person, give_role
from tests.support.planning import SHARED_RULE, a_ramp, carry_out, share_now

GLASS = Terms(break_glass=True)
REASON = "checkout is down"


@pytest.fixture
def grace(shop: Project) -> User:
    """She may change everything, and break glass."""
    person = create_person("grace")
    for role in ("on_call_engineer", "developer"):
        give_role(shop, person, role)
    return person


@pytest.fixture
def desk(desk: Desk, guarded: Environment) -> Desk:
    """Production's flag, already on, where on-call engineers may break glass."""
    guarded.policy.delete()
    FlagConfiguration.objects.filter(flag=desk.flag, environment=guarded).update(enabled=True)
    set_policy(guarded, **TWO_ROLES, break_glass=["on_call_engineer"], break_glass_minutes=30)
    return desk


def break_glass(desk: Desk, person: User, **changes: Any) -> Emergency:
    desk.save(person, break_glass=True, reason=REASON, **changes)
    return Emergency.objects.latest("pk")


def end(*chosen: Emergency) -> None:
    """Let their time be over, and the worker come by."""
    past = clock.database_now() - timedelta(seconds=1)
    keys = [one.pk for one in chosen]
    Emergency.objects.filter(pk__in=keys).update(reverts_at=past)
    services.revert_due(now=clock.now())


def end_all() -> None:
    end(*Emergency.objects.all())


@contextmanager
def without_policy(place: Environment) -> Iterator[None]:
    """What is done in here needs nobody."""
    policy = Policy.objects.get(environment=place)
    Policy.objects.all().delete()
    yield
    policy.save(force_insert=True)


def serve(variant: str) -> dict[str, str]:
    return {"variant": variant}


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


# Whatever glass can be broken for


@dataclass(frozen=True)
class Subject:
    """One kind of thing: how to change it in the given way, and what it is."""

    change: Callable[[Desk, User, int], object]
    document: Callable[[Desk], Any]


def _edit_definition(desk: Desk, person: User, n: int) -> None:
    variants = [{"key": "on", "value": True}, {"key": "off", "value": False}]
    variants += [{"key": f"v{one}", "value": True} for one in range(n)]
    flag = Flag.objects.get(pk=desk.flag.pk)
    flags.edit_flag(
        flag=flag,
        document=flag.document | {"variants": variants, "client_visible": n % 2 == 0},
        expected_version=flag.version,
        actor=acting(person),
        now=desk.now,
        reason=REASON,
        terms=GLASS,
    )


def _edit_segment(desk: Desk, person: User, n: int) -> None:
    segment = Segment.objects.get()
    country = {"attribute": "country", "operator": "in", "values": [f"C{n}"]}
    flags.edit_segment(
        segment=segment,
        document=segment.about | {"when": country},
        expected_version=segment.version,
        actor=acting(person),
        now=desk.now,
        reason=REASON,
        terms=GLASS,
    )


def _change_keys(desk: Desk, person: User, n: int) -> None:
    flags.change_keys(
        segment=Segment.objects.get(),
        change=KeyChange("included", Mode.ADD, [f"user-{n}"]),
        actor=acting(person),
        now=desk.now,
        reason=REASON,
        terms=GLASS,
    )


def _edit_group(desk: Desk, person: User, n: int) -> None:
    group = ExclusionGroup.objects.get()
    flags.edit_group(
        group=group,
        document=group.document | {"holdout": float(n), "salt": f"salt-{n}"},
        expected_version=group.version,
        actor=acting(person),
        now=desk.now,
        reason=REASON,
        terms=GLASS,
    )


SUBJECTS = {
    "configuration": Subject(
        lambda desk, who, n: break_glass(desk, who, salt=f"salt-{n}", rules=[RULE][: n % 2]),
        lambda desk: desk.configuration.document,
    ),
    "definition": Subject(
        _edit_definition, lambda desk: Flag.objects.get(pk=desk.flag.pk).document
    ),
    "segment": Subject(_edit_segment, lambda _desk: Segment.objects.get().document),
    "keys of a segment": Subject(_change_keys, lambda _desk: Segment.objects.get().document),
    "exclusion group": Subject(_edit_group, lambda _desk: ExclusionGroup.objects.get().document),
}


@pytest.fixture
def cohorts(desk: Desk, shop: Project, alice: User) -> None:
    common: dict[str, Any] = {"project": shop, "actor": acting(alice), "now": desk.now}
    when = {"attribute": "country", "operator": "in", "values": ["DE"]}
    flags.create_segment(document={"key": "beta", "when": when}, **common)
    flags.create_group(document={"key": "line", "slots": [], "holdout": 0}, **common)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.usefixtures("cohorts")
def test_three_in_a_row__ended_in_any_order__leave_what_was_agreed_to(
    desk: Desk, grace: User, subject: str, order: tuple[int, ...]
) -> None:
    about = SUBJECTS[subject]
    agreed = about.document(desk)
    for n in (1, 2, 3):
        about.change(desk, grace, n)
        assert about.document(desk) != agreed
    made = list(Emergency.objects.order_by("pk"))
    assert len(made) == 3
    for index in order:
        end(made[index])
    assert about.document(desk) == agreed
    assert not Emergency.objects.filter(reverted_at=None, superseded_at=None).exists()


def test_archiving__is_taken_back_whatever_was_renamed_meanwhile(
    desk: Desk, grace: User, alice: User
) -> None:
    give_role(desk.flag.project, grace, "project_admin")
    flags.archive_flag(
        flag=desk.flag, actor=acting(grace), now=desk.now, reason=REASON, terms=GLASS
    )
    desk.edit(alice, name="Another name")
    end_all()
    flag = Flag.objects.get(pk=desk.flag.pk)
    assert (flag.is_archived, flag.name) == (False, "Another name")


# What comes in between


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
    services.confirm_emergency(emergency=second, actor=acting(erin), now=desk.now)
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


def test_what_cannot_be_gone_back_to__is_said_once_and_tried_again(
    desk: Desk, grace: User, alice: User, guarded: Environment
) -> None:
    """A variant that an emergency added is served with approval: it has to stay until it is not."""
    before = desk.flag.document
    _edit_definition(desk, grace, 1)
    emergency = Emergency.objects.get()
    with without_policy(guarded):
        desk.save(alice, off_variant="v0")
    end(emergency)
    end(emergency)
    emergency.refresh_from_db()
    assert emergency.is_running
    assert "v0" in emergency.problem or "variant" in emergency.problem
    assert AuditEvent.objects.filter(event="break_glass.stuck").count() == 1
    with without_policy(guarded):
        desk.save(alice, off_variant="off")
    end(emergency)
    emergency.refresh_from_db()
    assert (bool(emergency.reverted_at), emergency.problem) == (True, "")
    assert Flag.objects.get(pk=desk.flag.pk).document == before


# Workers


def test_a_worker_killed_in_between__leaves_nothing_half_done(
    desk: Desk, grace: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreed = desk.configuration.document
    emergency = break_glass(desk, grace, fallthrough=serve("off"))
    made = desk.configuration.document
    with monkeypatch.context() as patch:
        patch.setattr(emergencies, "record_request", _killed)
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
        lambda: services.revert_due(now=clock.now()),
        lambda: services.revert_due(now=clock.now()),
        lambda: services.confirm_emergency(emergency=second, actor=acting(erin), now=clock.now()),
    )
    second.refresh_from_db()
    assert bool(second.confirmed_at) != bool(second.reverted_at)
    salt = "second" if second.confirmed_at else agreed["salt"]
    assert desk.configuration.document == agreed | {"salt": salt}
    ended = AuditEvent.objects.filter(event__in=("break_glass.reverted", "break_glass.confirmed"))
    assert ended.count() == 2


# Against a small model: of each field the last change counts that was not taken back

FIELDS: dict[str, list[Any]] = {
    "enabled": [True, False],
    "off_variant": ["on", "off"],
    "fallthrough": [serve("on"), serve("off")],
    "salt": ["a", "b", "c"],
}
_writes = st.sampled_from(list(FIELDS)).flatmap(
    lambda name: st.tuples(st.just(name), st.sampled_from(FIELDS[name]))
)
_operations = st.one_of(
    st.tuples(st.just("glass"), _writes),
    st.tuples(st.just("agreed"), _writes),
    st.tuples(st.just("turn off"), st.none()),
    st.tuples(st.sampled_from(["end", "confirm"]), st.integers(0, 3)),
)


@dataclass
class Model:
    """A log of assignments; those of emergencies that ended do not count."""

    log: list[tuple[int | None, str, Any]]
    ended: set[int | None]

    def state(self) -> dict[str, Any]:
        return {name: value for owner, name, value in self.log if owner not in self.ended}


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(operations=st.lists(_operations, max_size=14))
def test_any_course_of_events__serves_what_was_agreed_to_and_what_still_runs(
    desk: Desk, grace: User, erin: User, dana: User, operations: list[tuple[str, Any]]
) -> None:
    with transaction.atomic():
        start = desk.configuration.document
        model = Model([(None, name, start[name]) for name in FIELDS], set())
        for operation, given_ in operations:
            _carry_out(desk, (grace, erin, dana), model, operation, given_)
            assert _served(desk) == model.state()
        for one in _running():
            model.ended.add(one.pk)
        end_all()
        assert _served(desk) == model.state()
        transaction.set_rollback(True)


def _served(desk: Desk) -> dict[str, Any]:
    document = desk.configuration.document
    return {name: document[name] for name in FIELDS}


def _running() -> list[Emergency]:
    found = Emergency.objects.filter(confirmed_at=None, reverted_at=None, superseded_at=None)
    return list(found.order_by("pk"))


def _carry_out(
    desk: Desk, people: tuple[User, User, User], model: Model, operation: str, given_: Any
) -> None:
    grace, erin, dana = people
    if operation in ("end", "confirm"):
        running = _running()
        if not running:
            return
        chosen = running[given_ % len(running)]
        if operation == "end":
            model.ended.add(chosen.pk)
            end(chosen)
        else:
            services.confirm_emergency(emergency=chosen, actor=acting(erin), now=desk.now)
        return
    name, value = given_ or ("enabled", False)
    if model.state()[name] == value:
        return
    turns_off = (name, value) == ("enabled", False)
    changes: dict[str, Any] = {name: value}
    if operation == "glass" and not turns_off:
        emergency = break_glass(desk, grace, **changes)
        model.log.append((emergency.pk, name, value))
        return
    if turns_off:  # needs nobody
        desk.switch(dana, False)
    else:
        with without_policy(desk.environment):
            desk.save(dana, **changes)
    model.log.append((None, name, value))
