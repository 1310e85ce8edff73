"""Taking over a configuration in another environment, and a flag under another key."""

import pytest

from flags.core import copying
from flags.core.copying import Cloned, Taking
from flags.models import Flag, FlagConfiguration
from portal.access.models import Environment, User
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest
from portal.lib.errors import Conflict, Forbidden, Invalid
from portal.lib.journal import Intent
from tests.support.desk import RULE, Desk
from tests.support.people import acting


def configuration(desk: Desk, place: Environment) -> FlagConfiguration:
    return FlagConfiguration.objects.get(flag=desk.flag, environment=place)


def copy(
    desk: Desk, person: User, target: Environment, taking: Taking | None = None, seen: int = 0
) -> FlagConfiguration:
    return copying.copy_configuration(
        flag=desk.flag,
        source=desk.environment,
        target=target,
        source_version=seen or desk.configuration.version,
        expected_version=configuration(desk, target).version,
        taking=taking or Taking(),
        intent=Intent(acting(person), at=desk.now),
    )


def clone(desk: Desk, person: User, *places: Environment) -> Cloned:
    return copying.clone_flag(
        flag=desk.flag,
        key="twin",
        name="Twin",
        environments=places,
        intent=Intent(acting(person), at=desk.now),
    )


def test_a_copy__keeps_state_and_salt_of_the_target(
    desk: Desk, dana: User, staging: Environment
) -> None:
    desk.save(dana, rules=[RULE], enabled=True)
    before = configuration(desk, staging).document
    copied = copy(desk, dana, staging).document
    assert copied == before | {"rules": desk.configuration.document["rules"]}


def test_a_copy__takes_state_and_salt_where_told(
    desk: Desk, dana: User, staging: Environment
) -> None:
    desk.save(dana, rules=[RULE], enabled=True)
    copied = copy(desk, dana, staging, Taking(state=True, salt=True))
    assert copied.document == desk.configuration.document


def test_a_copy__of_what_was_changed_meanwhile_or_of_itself__is_refused(
    desk: Desk, dana: User, staging: Environment
) -> None:
    seen = desk.configuration.version
    desk.save(dana, rules=[RULE])
    with pytest.raises(Conflict, match="Production"):
        copy(desk, dana, staging, seen=seen)
    with pytest.raises(Invalid):
        copy(desk, dana, desk.environment)


def test_a_clone__is_off_with_targeting_and_salts_of_its_own(
    desk: Desk, dana: User, staging: Environment
) -> None:
    desk.save(dana, rules=[RULE], enabled=True)
    cloned = clone(desk, dana, desk.environment)
    assert not cloned.waiting
    assert not cloned.refused
    there = {c.environment.key: c for c in cloned.flag.configurations.all()}
    assert not any(one.enabled for one in there.values())
    assert there["production"].document["rules"] == desk.configuration.document["rules"]
    assert there["production"].document["salt"] != desk.configuration.document["salt"]
    assert there["staging"].document["rules"] == []


def test_a_clone__where_others_have_to_agree__keeps_its_targeting_for_later(
    desk: Desk, dana: User, guarded: Environment
) -> None:
    FlagConfiguration.objects.filter(flag=desk.flag, environment=guarded).update(
        targeting=desk.configuration.targeting | {"rules": [RULE]}
    )
    cloned = clone(desk, dana, guarded)
    assert not cloned.waiting
    assert not ChangeRequest.objects.exists()
    there = cloned.flag.configurations.get(environment=guarded).document
    assert (there["rules"], there["introduced"]) == ([RULE], False)


def test_a_clone__bob_may_not__and_there_is_none(desk: Desk, bob: User) -> None:
    with pytest.raises(Forbidden):
        clone(desk, bob, desk.environment)
    assert not Flag.objects.filter(key="twin").exists()


def test_a_copy__waits_where_others_have_to_agree(
    desk: Desk, dana: User, guarded: Environment, staging: Environment
) -> None:
    FlagConfiguration.objects.filter(flag=desk.flag, environment=staging).update(
        targeting=desk.configuration.targeting | {"rules": [RULE]}
    )
    with pytest.raises(Waiting):
        copy(Desk(desk.flag, staging, desk.now), dana, guarded)
    assert configuration(desk, guarded).document["rules"] == []
