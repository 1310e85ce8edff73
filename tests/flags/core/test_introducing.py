"""A flag comes to a governed environment by a change of its own: until then it is not there.

What evaluators answer is asked of their own code; see tests.support.answering.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from flags.core import configurations, copying, definitions
from flags.explain import rebuilding
from flags.models import Flag, FlagConfiguration, UnknownFlag
from flags.transfer import exports
from flags.transfer.importing import service
from flags.transfer.importing.target import ImportReport
from flags.usage.reading import unknown_flags
from portal.access import services as access
from portal.access.models import Environment, User
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest, Emergency, Policy, State
from portal.approvals.services import emergencies
from portal.lib import clock
from portal.lib.errors import Conflict, Forbidden, Invalid
from portal.lib.journal import Intent
from tests.support.agreeing import TWO_ROLES, set_policy, vote, waiting
from tests.support.answering import ask, state_of, without_version
from tests.support.desk import RULE, Desk
from tests.support.people import SETTING_UP, acting, boolean_flag
from tests.support.planning import a_schedule

CREATORS = ["create", "clone", "import", "import elsewhere with segments", "restore"]
NEEDS_BANNER: dict[str, Any] = {"prerequisites": [{"flag": "banner", "variants": ["on"]}]}


def answers(place: Environment, key: str = "brand-new") -> int:
    """The status of what an evaluator answers there."""
    place.refresh_from_db()
    return ask(state_of(place), key, {"targetingKey": "u"})[0]


def at(desk: Desk, key: str, place: Environment | None = None) -> Desk:
    return Desk(Flag.objects.get(key=key), place or desk.environment, desk.now)


def introduce(
    desk: Desk, person: User, *, enabled: bool = False, seen: int | None = None, **wanting: Any
) -> object:
    return configurations.set_enabled(
        flag=desk.flag,
        environment=desk.environment,
        enabled=enabled,
        introduce=True,
        intent=Intent(acting(person), at=desk.now, **wanting),
        expected_version=seen,
    )


def asked(desk: Desk, person: User, *, enabled: bool = False) -> ChangeRequest:
    """The request to introduce a flag."""
    with pytest.raises(Waiting) as error:
        introduce(desk, person, enabled=enabled)
    return waiting(error)


def import_into(place: Environment, person: User, *flags: dict[str, Any], **more: Any) -> Any:
    return service.import_document(
        format_name="native",
        document={"flags": list(flags), **more},
        environment=place,
        mode="merge",
        dry_run=False,
        intent=Intent(acting(person)),
    )


def create(how: str, desk: Desk, person: User, development: Environment) -> None:
    """Bring the flag brand-new into being, by one of the roads there are."""
    if how == "create":
        desk.create(person, "brand-new")
    elif how == "clone":
        copying.clone_flag(
            flag=desk.flag,
            key="brand-new",
            name="",
            environments=[desk.environment, development],
            intent=Intent(acting(person), at=desk.now),
        )
    elif how == "restore":
        flag = desk.create(person, "brand-new")
        for write in (definitions.archive_flag, definitions.restore_flag):
            write(flag=flag, intent=Intent(acting(person), at=desk.now))
    else:
        more = {"segments": [{"key": "beta"}]} if "segments" in how else {}
        import_into(development, person, boolean_flag("brand-new"), **more)


@pytest.mark.parametrize("how", CREATORS)
def test_a_new_flag__where_a_policy_stands__is_not_there_yet(
    desk: Desk,
    guarded: Environment,
    staging: Environment,
    development: Environment,
    dana: User,
    how: str,
) -> None:
    before = state_of(guarded).flags.keys()
    create(how, desk, dana, development)
    assert (answers(guarded), answers(staging), answers(development)) == (404, 200, 200)
    assert state_of(guarded).flags.keys() == before
    assert not ChangeRequest.objects.exists()
    row = at(desk, "brand-new").configuration
    assert row.document["introduced"] is False
    file = exports.export_environment(guarded, format_name="flagd").document
    assert "brand-new" not in file["flags"]
    native = exports.export_environment(guarded, format_name="native").document["flags"]
    assert native[0]["environments"]["production"]["introduced"] is False
    assert "introduced" not in native[1]["environments"]["production"]


def test_a_new_flag__where_no_policy_stands__is_introduced_at_once(
    desk: Desk, dana: User, production: Environment
) -> None:
    flag = desk.create(dana, "brand-new")
    assert answers(production) == 200
    assert all("introduced" not in one.document for one in flag.configurations.all())


def test_flags_that_exist_when_a_policy_comes__count_as_introduced(
    desk: Desk, dana: User, erin: User, frank: User, production: Environment
) -> None:
    before = without_version(ask(state_of(production), desk.flag.key, {}))
    set_policy(production, **TWO_ROLES)
    assert without_version(ask(state_of(production), desk.flag.key, {})) == before


def test_a_new_environment__has_every_flag(desk: Desk, guarded: Environment, dana: User) -> None:
    desk.create(dana, "brand-new")
    canary = access.create_environment(
        project=desk.flag.project,
        key="canary",
        kind="production",
        intent=Intent(SETTING_UP, at=desk.now),
    )
    assert answers(canary) == 200


@pytest.mark.parametrize("enabled", [False, True])
def test_introducing__off_as_well__waits_and_then_serves(
    desk: Desk, guarded: Environment, dana: User, erin: User, frank: User, enabled: bool
) -> None:
    desk.create(dana, "brand-new")
    request = asked(at(desk, "brand-new"), dana, enabled=enabled)
    assert not request.turns_off
    assert answers(guarded) == 404
    vote(request, erin)
    vote(request, frank)
    request.refresh_from_db()
    assert request.state == State.APPLIED
    status, body = ask(state_of(guarded), "brand-new", {"targetingKey": "u"})
    assert (status, body["value"]) == (200, enabled)


def test_turning_on__introduces__and_turning_off_or_saving_does_not(
    desk: Desk, guarded: Environment, dana: User
) -> None:
    desk.create(dana, "brand-new")
    new = at(desk, "brand-new")
    new.switch(dana, False)
    new.save(dana, rules=[RULE])
    assert answers(guarded) == 404
    assert not ChangeRequest.objects.exists()
    assert new.configuration.document["rules"] == [RULE]
    with pytest.raises(Waiting):
        new.switch(dana, True)
    with pytest.raises(Waiting):
        new.save(dana, introduced=True)


def test_what_is_introduced__stays_so(desk: Desk, dana: User) -> None:
    with pytest.raises(Invalid, match="introduced in Production"):
        desk.save(dana, introduced=False)
    with pytest.raises(IntegrityError), transaction.atomic():
        FlagConfiguration.objects.filter(flag=desk.flag).update(enabled=True, introduced=False)


def test_an_approved_introduction__of_what_was_changed_meanwhile__conflicts(
    desk: Desk, guarded: Environment, dana: User, erin: User, frank: User
) -> None:
    """Nobody is asked before what is not introduced changes: so what was agreed to is checked."""
    new = Desk(desk.create(dana, "brand-new"), guarded, desk.now)
    request = asked(new, dana)
    new.save(dana, off_variant="on")
    vote(request, erin)
    vote(request, frank)
    request.refresh_from_db()
    assert request.state == State.OPEN
    assert answers(guarded) == 404


@pytest.mark.parametrize("late", ["", "its targeting", "its value"])
def test_a_prerequisite__is_named_and_brought_along__as_it_was_agreed_to(
    desk: Desk, guarded: Environment, dana: User, erin: User, frank: User, late: str
) -> None:
    banner, theme = desk.create(dana, "banner"), desk.create(dana, "theme")
    on_theme = [{"flag": theme.key, "variants": ["off"]}]
    Desk(banner, guarded, desk.now).save(dana, prerequisites=on_theme)
    with pytest.raises(Waiting) as error:
        desk.save(dana, **NEEDS_BANNER)
    request = waiting(error)
    assert [word for word in request.words if "introduced too" in word] == [
        "Banner, which it depends on, is introduced too, turned off: everyone gets “off”.",
        "Theme, which it depends on, is introduced too, turned off: everyone gets “off”.",
    ]
    if late == "its targeting":
        Desk(theme, guarded, desk.now).save(dana, off_variant="on")
    if late == "its value":
        variants = [{"key": "on", "value": True}, {"key": "off", "value": True}]
        Desk(theme, guarded, desk.now).edit(dana, variants=variants)
    vote(request, erin)
    vote(request, frank)
    there = 404 if late else 200
    assert (answers(guarded, "banner"), answers(guarded, "theme")) == (there, there)


def test_breaking_glass__introduces__and_its_end_takes_that_back(
    desk: Desk, guarded: Environment, dana: User, erin: User, frank: User
) -> None:
    Policy.objects.update(break_glass=["senior_developer"])
    new = Desk(desk.create(dana, "brand-new"), guarded, desk.now)
    desk.create(dana, "banner")
    glass = replace(desk.options, break_glass=True)
    introduce(new, erin, enabled=True, options=glass, reason="on fire")
    assert answers(guarded) == 200
    with pytest.raises(Invalid, match="Introduce that first"):
        desk.save(erin, break_glass=True, reason="on fire", **NEEDS_BANNER)
    emergency = Emergency.objects.get()
    emergencies.revert_emergency(emergency=emergency, intent=Intent(acting(frank)))
    assert answers(guarded) == 404
    assert new.configuration.document["introduced"] is False


def test_a_plan__of_what_is_not_introduced__is_refused(
    desk: Desk, guarded: Environment, dana: User
) -> None:
    new = Desk(desk.create(dana, "brand-new"), guarded, desk.now)
    with pytest.raises(Invalid, match="not in Production yet"):
        a_schedule(new, dana)


def test_an_import_into_a_governed_environment__introduces_all_by_one_request(
    desk: Desk, guarded: Environment, dana: User, erin: User, frank: User
) -> None:
    """New ones, one that is not introduced yet, and what that one depends on."""
    for key in ("old", "banner"):
        desk.create(dana, key)
    configuration = at(desk, "old").configuration.document | NEEDS_BANNER
    del configuration["introduced"]
    flags = [
        boolean_flag("one"),
        boolean_flag("two"),
        boolean_flag("old") | {"environments": {"production": configuration}},
        boolean_flag("kept") | {"environments": {"production": NOT_YET}},
    ]
    with pytest.raises(Waiting) as error:
        import_into(guarded, dana, *flags)
    request = waiting(error)
    assert "Introduced in this environment: old, banner." in request.words
    vote(request, erin)
    vote(request, frank)
    found = {key: answers(guarded, key) for key in ("one", "two", "old", "banner", "kept")}
    assert found == {"one": 200, "two": 200, "old": 200, "banner": 200, "kept": 404}


NOT_YET = {
    "enabled": False,
    "off_variant": "off",
    "fallthrough": {"variant": "on"},
    "introduced": False,
}


def test_an_import_that_says_nothing_of_an_introduction__reports_none(
    desk: Desk, dana: User, development: Environment
) -> None:
    report: ImportReport = import_into(development, dana, boolean_flag("one"))
    assert "introduced" not in report.document
    assert report.created == ["one"]


def test_unknown_flags__leaves_out_what_is_not_introduced(
    desk: Desk, guarded: Environment, dana: User
) -> None:
    seen = {"by_client": False, "count": 1, "first_at": desk.now, "last_at": desk.now}
    for key in ("brand-new", "nowhere"):
        UnknownFlag.objects.create(environment=guarded, name=key, **seen)
    desk.create(dana, "brand-new")
    assert [row.name for row in unknown_flags(guarded)] == ["nowhere"]


def test_the_history__tells_that_it_was_not_there_and_who_introduced_it(
    desk: Desk, guarded: Environment, dana: User, erin: User, frank: User
) -> None:
    desk.create(dana, "brand-new")
    created = clock.database_now()
    request = asked(at(desk, "brand-new"), dana)
    vote(request, erin)
    vote(request, frank)
    found = [
        rebuilding.answer_at(
            project=desk.flag.project,
            environment="production",
            flag="brand-new",
            context={},
            moment=moment,
        )
        for moment in (created, clock.database_now() + timedelta(seconds=1))
    ]
    assert [one.explained.status for one in found] == [404, 200]
    (cause,) = [one for one in found[1].causes if one.row.event == "flag.introduced"]
    assert cause.approval is not None
    assert cause.approval.request == request.pk


def test_introducing__takes_the_right_to_toggle_and_what_one_looked_at(
    desk: Desk, guarded: Environment, bob: User, dana: User
) -> None:
    new = Desk(desk.create(dana, "brand-new"), guarded, desk.now)
    with pytest.raises(Forbidden):
        introduce(new, bob)
    with pytest.raises(Conflict):
        introduce(new, dana, seen=new.configuration.version - 1)


def test_after_the_policy_is_gone__a_flag_is_introduced_by_whoever_may(
    desk: Desk, guarded: Environment, dana: User
) -> None:
    """Taking a policy away changes no answer by itself."""
    new = Desk(desk.create(dana, "brand-new"), guarded, desk.now)
    Policy.objects.all().delete()
    assert answers(guarded) == 404
    introduce(new, dana)
    assert answers(guarded) == 200
