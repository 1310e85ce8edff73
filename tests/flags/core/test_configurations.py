"""Turning flags on and off, and changing who gets what."""

from datetime import datetime
from typing import Any

import pytest

from flags.models import FlagConfiguration
from portal.access import authority, services as access
from portal.access.models import ApiKey, Environment, Project, User
from portal.access.permissions import BUILTIN_ROLES, Permission
from portal.audit.models import AuditEvent
from portal.lib.errors import Conflict, Forbidden, Invalid
from portal.lib.journal import Intent, Trace
from tests.support.desk import RULE, Desk
from tests.support.people import SETTING_UP
from tests.support.rows import everything_kept


def admin_key(environment: Environment, now: datetime) -> ApiKey:
    return access.issue_key(
        environment=environment, kind="admin", name="Pipeline", intent=Intent(SETTING_UP, at=now)
    ).key


def test_save_configuration__alice__is_at_the_environments_version(desk: Desk, alice: User) -> None:
    saved = desk.save(alice, enabled=True, rules=[RULE])
    desk.environment.refresh_from_db()
    assert saved.version == desk.environment.version
    assert (saved.updated_by, saved.updated_at) == ("alice", desk.now)
    assert desk.configuration.document["rules"] == [RULE]
    event = AuditEvent.objects.first()
    assert event
    assert event.version == saved.version
    assert event.after_document == desk.configuration.document


def test_save_configuration__nothing_different__changes_nothing(desk: Desk, alice: User) -> None:
    before = everything_kept()
    desk.save(alice)
    assert everything_kept() == before


def test_save_configuration__from_a_version_that_is_gone__conflicts_with_both_sides(
    desk: Desk, alice: User, dana: User
) -> None:
    seen = desk.configuration.version
    desk.save(dana, rules=[RULE])
    before = everything_kept()
    with pytest.raises(Conflict, match="dana changed this flag in Production") as refused:
        desk.save(alice, seen=seen, enabled=True, rules=[])
    assert refused.value.current["rules"] == [RULE]
    assert refused.value.current["version"] == desk.configuration.version
    assert refused.value.yours["rules"] == []
    assert everything_kept() == before


def test_save_configuration__another_environment_changed_meanwhile__is_fine(
    desk: Desk, staging: Environment, alice: User, dana: User
) -> None:
    seen = desk.configuration.version
    Desk(desk.flag, staging, desk.now).save(dana, enabled=True)
    assert desk.save(alice, seen=seen, enabled=True).enabled


def test_save_configuration__another_flag_changed_meanwhile__is_fine(
    desk: Desk, alice: User, dana: User
) -> None:
    seen = desk.configuration.version
    other = desk.create(dana)
    Desk(other, desk.environment, desk.now).save(dana, enabled=True)
    assert desk.save(alice, seen=seen, enabled=True).enabled


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"off_variant": "soon"}, "off_variant"),
        ({"fallthrough": {"variant": "soon"}}, "fallthrough"),
        ({"rules": [RULE, RULE]}, "rules[1]"),
        ({"enabled": "yes"}, "enabled"),
        ({"colour": "red"}, "colour"),
        ({"targets": [{"variant": "on", "keys": ["nul \0"]}]}, "targets[0]"),
        (
            {"fallthrough": {"split": [{"variant": "on", "weight": 99_999}]}},
            "fallthrough",
        ),
    ],
)
def test_save_configuration__unusable_document__is_refused_by_path(
    desk: Desk, alice: User, changes: dict[str, Any], path: str
) -> None:
    before = everything_kept()
    with pytest.raises(Invalid) as refused:
        desk.save(alice, **changes)
    assert [found for found in refused.value.problems if found.startswith(path)]
    assert everything_kept() == before


def test_save_configuration__turning_on_too__takes_the_permission_to_toggle(
    desk: Desk, dana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BUILTIN_ROLES, "developer", frozenset({Permission.FLAG_EDIT}))
    before = everything_kept()
    with pytest.raises(Forbidden, match="turn flags on and off"):
        desk.save(dana, enabled=True, rules=[RULE])
    assert everything_kept() == before
    assert desk.save(dana, rules=[RULE]).version > 0


def test_set_enabled__on_and_off__says_so_with_its_reason(desk: Desk, alice: User) -> None:
    desk.switch(alice, True, reason=" the day has come ")
    assert desk.configuration.enabled
    desk.switch(alice, False)
    assert not desk.configuration.enabled
    off, on = AuditEvent.objects.all()[:2]
    assert (on.event, on.reason) == ("flag.enabled", "the day has come")
    assert (off.event, off.reason) == ("flag.disabled", "")


def test_set_enabled__so_already__changes_nothing(desk: Desk, alice: User) -> None:
    desk.switch(alice, True)
    before = everything_kept()
    desk.switch(alice, True)
    assert everything_kept() == before


def test_set_enabled__only_the_switch__leaves_the_targeting(desk: Desk, alice: User) -> None:
    desk.save(alice, rules=[RULE])
    targeting = desk.configuration.targeting
    desk.switch(alice, True)
    assert desk.configuration.targeting == targeting


def test_set_enabled__on_from_a_version_that_is_gone__conflicts(
    desk: Desk, alice: User, dana: User
) -> None:
    seen = desk.configuration.version
    desk.save(dana, rules=[RULE])
    with pytest.raises(Conflict, match="dana changed this flag in Production") as refused:
        desk.switch(alice, True, seen=seen)
    assert refused.value.yours["enabled"] is True
    assert not desk.configuration.enabled


def test_set_enabled__off_from_a_version_that_is_gone__turns_it_off(
    desk: Desk, alice: User, dana: User
) -> None:
    """Whoever pulls the brake must not be told to look again first."""
    desk.switch(dana, True)
    seen = desk.configuration.version
    desk.save(dana, rules=[RULE])
    assert not desk.switch(alice, False, seen=seen).enabled
    assert desk.configuration.document["rules"] == [RULE]


def test_changes__to_an_archived_flag__are_refused(desk: Desk, alice: User) -> None:
    desk.archive(alice)
    before = everything_kept()
    with pytest.raises(Invalid, match="Restore it first"):
        desk.switch(alice, True)
    with pytest.raises(Invalid, match="Restore it first"):
        desk.save(alice, rules=[RULE])
    assert everything_kept() == before


def test_changes__in_an_environment_of_another_project__find_nothing(
    desk: Desk, garden: Project, alice: User
) -> None:
    foreign = Desk(desk.flag, garden.environments.get(key="production"), desk.now)
    before = everything_kept()
    with pytest.raises(FlagConfiguration.DoesNotExist):
        foreign.switch(alice, True)
    assert everything_kept() == before


def test_changes__with_an_admin_key__reach_its_own_environment(
    desk: Desk, staging: Environment, now: datetime
) -> None:
    actor = authority.key_actor(admin_key(desk.environment, now), Trace())
    assert desk.switch(actor, True).enabled
    event = AuditEvent.objects.first()
    assert event
    assert (event.actor_kind, event.actor) == ("key", actor.label)
    with pytest.raises(Forbidden):
        Desk(desk.flag, staging, desk.now).switch(actor, True)
