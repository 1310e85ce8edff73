"""Creating, editing, archiving and restoring flags."""

import re
from typing import Any

import pytest

from flags.core import definitions
from flags.models import Flag, FlagConfiguration
from portal.access.models import Project, User
from portal.audit import selectors as audit
from portal.audit.models import AuditEvent
from portal.lib.errors import Conflict, Invalid
from portal.lib.journal import Intent
from tests.support.desk import RULE, Desk
from tests.support.people import acting, boolean_flag
from tests.support.rows import everything_kept

THREE_VARIANTS = [
    {"key": "on", "value": True},
    {"key": "off", "value": False},
    {"key": "soon", "value": False},
]


def last_event(desk: Desk) -> AuditEvent:
    event = audit.events_of(desk.flag.project, subject_kind="flag", subject=desk.flag.key).first()
    assert event
    return event


def test_create_flag__alice__is_off_in_every_environment(desk: Desk, alice: User) -> None:
    flag = desk.create(alice)
    configurations = flag.configurations.select_related("environment")
    assert {c.environment.key: c.enabled for c in configurations} == {
        "development": False,
        "staging": False,
        "production": False,
    }
    assert {c.version for c in configurations} == {
        e.version for e in flag.project.environments.all()
    }


def test_create_flag__twice__has_a_salt_of_its_own_in_every_environment(
    desk: Desk, alice: User
) -> None:
    """Or whoever is in the first 5 % of one flag would be in those of all."""
    flags = [desk.flag, desk.create(alice)]
    salts = [c.targeting["salt"] for c in FlagConfiguration.objects.filter(flag__in=flags)]
    assert len(set(salts)) == len(salts) == 6
    assert all(re.fullmatch("[0-9a-f]{8}", salt) for salt in salts)


def test_create_flag__key_that_is_taken__is_refused(desk: Desk, alice: User) -> None:
    before = everything_kept()
    with pytest.raises(Invalid) as refused:
        desk.create(alice, desk.flag.key)
    assert refused.value.problems == {
        "key": "There is a flag with this key already; choose another."
    }
    assert everything_kept() == before


def test_create_flag__key_taken_in_another_project__is_fine(
    desk: Desk, garden: Project, charlie: User
) -> None:
    flag = definitions.create_flag(
        project=garden,
        document=boolean_flag(desk.flag.key),
        intent=Intent(acting(charlie), at=desk.now),
    )
    assert flag != desk.flag


@pytest.mark.parametrize(
    ("document", "paths"),
    [
        ([], {""}),
        (None, {""}),
        ({}, {"key", "value_type", "variants"}),
        (boolean_flag() | {"colour": "red"}, {"colour"}),
        (boolean_flag() | {"value_type": "colour"}, {"value_type"}),
        (boolean_flag() | {"name": "nul \0"}, {"name"}),
        (boolean_flag() | {"description": "surrogate \ud800"}, {"description"}),
        (boolean_flag() | {"tags": ["nul \0"]}, {"tags[0]"}),
        (boolean_flag() | {"variants": [{"key": "on", "value": 1}]}, {"variants[0].value"}),
    ],
)
def test_create_flag__unusable_document__is_refused_by_path(
    shop: Project, alice: User, desk: Desk, document: object, paths: set[str]
) -> None:
    before = everything_kept()
    with pytest.raises(Invalid) as refused:
        definitions.create_flag(
            project=shop, document=document, intent=Intent(acting(alice), at=desk.now)
        )
    assert set(refused.value.problems) == paths
    assert everything_kept() == before


@pytest.mark.parametrize("bad", ["nul \0", "surrogate \ud800"])
def test_create_flag__value_no_database_can_hold__is_refused(
    desk: Desk, alice: User, bad: str
) -> None:
    before = everything_kept()
    with pytest.raises(Invalid):
        desk.create(alice, value_type="string", variants=[{"key": "a", "value": bad}])
    with pytest.raises(Invalid):
        desk.create(alice, value_type="object", variants=[{"key": "a", "value": {"x": [bad]}}])
    assert everything_kept() == before


def test_edit_flag__new_name_and_variant__says_before_and_after(desk: Desk, alice: User) -> None:
    edited = desk.edit(alice, name="Checkout 2", variants=THREE_VARIANTS)
    assert (edited.name, edited.version) == ("Checkout 2", 2)
    event = last_event(desk)
    before, after = event.before_document, event.after_document
    assert before
    assert after
    assert (before["name"], after["name"]) == ("New checkout", "Checkout 2")
    assert after["variants"] == THREE_VARIANTS


def test_edit_flag__nothing_different__changes_nothing(desk: Desk, alice: User) -> None:
    before = everything_kept()
    assert desk.edit(alice).version == 1
    assert everything_kept() == before


def test_edit_flag__from_a_version_that_is_gone__conflicts_with_both_sides(
    desk: Desk, alice: User, dana: User
) -> None:
    desk.edit(dana, name="Dana's name")
    before = everything_kept()
    with pytest.raises(Conflict) as refused:
        desk.edit(alice, seen=1, name="Alice's name")
    assert refused.value.current["name"] == "Dana's name"
    assert refused.value.yours["name"] == "Alice's name"
    assert everything_kept() == before


@pytest.mark.parametrize(("field", "value"), [("key", "other-key"), ("value_type", "string")])
def test_edit_flag__another_identity__is_refused(
    desk: Desk, alice: User, field: str, value: str
) -> None:
    changes: dict[str, Any] = {field: value, "variants": THREE_VARIANTS}
    if field == "value_type":
        changes["variants"] = [{"key": "on", "value": "a"}]
    before = everything_kept()
    with pytest.raises(Invalid) as refused:
        desk.edit(alice, **changes)
    assert list(refused.value.problems) == [field]
    assert everything_kept() == before


@pytest.mark.parametrize(
    ("use", "path"),
    [
        ({"fallthrough": {"variant": "soon"}}, "fallthrough"),
        ({"off_variant": "soon"}, "off_variant"),
        ({"rules": [RULE | {"serve": {"variant": "soon"}}]}, "rules[0]"),
        ({"targets": [{"variant": "soon", "keys": ["u-1"]}]}, "targets[0]"),
        (
            {
                "fallthrough": {
                    "split": [
                        {"variant": "on", "weight": 1},
                        {"variant": "soon", "weight": 99_999},
                    ]
                }
            },
            "fallthrough",
        ),
    ],
)
def test_edit_flag__variant_in_use_taken_away__names_the_environment(
    desk: Desk, alice: User, use: dict[str, Any], path: str
) -> None:
    desk.edit(alice, variants=THREE_VARIANTS)
    desk.save(alice, **use)
    before = everything_kept()
    with pytest.raises(Invalid) as refused:
        desk.edit(alice, variants=THREE_VARIANTS[:2])
    assert [p for p in refused.value.problems if p.startswith(f"environments.production.{path}")]
    assert "soon" in str(refused.value)
    assert everything_kept() == before


def test_edit_flag__variant_in_use_nowhere_taken_away__is_fine(desk: Desk, alice: User) -> None:
    desk.edit(alice, variants=THREE_VARIANTS)
    assert len(desk.edit(alice, variants=THREE_VARIANTS[:2]).variants) == 2


def test_archive_flag__and_restore__keeps_the_configuration(desk: Desk, alice: User) -> None:
    desk.save(alice, enabled=True, rules=[RULE])
    before = desk.configuration.document
    desk.archive(alice)
    assert Flag.objects.get(pk=desk.flag.pk).is_archived
    assert last_event(desk).after_document == {"archived": True}
    desk.restore(alice)
    assert not Flag.objects.get(pk=desk.flag.pk).is_archived
    assert desk.configuration.document == before


@pytest.mark.parametrize("verb", ["archive", "restore"])
def test_archive_and_restore__done_already__changes_nothing(
    desk: Desk, alice: User, verb: str
) -> None:
    if verb == "archive":
        desk.archive(alice)
    before = everything_kept()
    getattr(desk, verb)(alice)
    assert everything_kept() == before
