"""Segments: who is in them, what may refer to what, and what the history can give back."""

from typing import Any

import pytest
from django.db import DatabaseError, transaction

from flags.core import configurations
from flags.models import KeyList, Segment
from flags.models.segment import segment_of
from flags.references.referring import InUse
from flags.segments import key_lists, selectors as segment_selectors
from flags.segments.key_lists import Mode
from portal.access.models import EnvironmentChange, Project, User
from portal.audit.models import AuditEvent
from portal.lib.errors import Conflict, Forbidden, Invalid
from portal.lib.journal import Intent
from tests.support.bench import GERMANS, Bench
from tests.support.people import SETTING_UP


def newest() -> AuditEvent:
    event = AuditEvent.objects.first()
    assert event
    return event


def versions(bench: Bench) -> dict[str, int]:
    return dict(bench.desk.flag.project.environments.values_list("key", "version"))


def test_create_segment__every_environment_hears_of_it_once(bench: Bench) -> None:
    before = versions(bench)
    segment = bench.segment(included=["bob", "alice"], when=GERMANS)
    assert versions(bench) == {key: version + 1 for key, version in before.items()}
    assert set(EnvironmentChange.objects.filter(kind="segment").values_list("key", flat=True)) == {
        "beta"
    }
    assert segment.engine_document == {
        "key": "beta",
        "when": GERMANS,
        "keyed_by": "targetingKey",
        "included": ["alice", "bob"],
    }
    assert (newest().event, newest().subject) == ("segment.created", "beta")


def test_change_keys__dana__is_counted_and_told(bench: Bench, dana: User) -> None:
    segment = bench.segment(included=["alice"], excluded=["eve"])
    report = bench.keys(segment, dana, "alice", "bob", "eve")
    assert (report.added, report.already_there, report.conflicts) == (1, 1, ["eve"])
    assert segment_selectors.get_segment(segment.project, "beta").included.keys == ("alice", "bob")
    after = newest().after_document
    assert newest().event == "segment.keys_changed"
    assert after
    assert after["keys"] == {"included": {"added": ["bob"], "removed": []}}
    assert bench.keys(segment, dana, "alice", mode=Mode.REMOVE).removed == 1
    assert bench.keys(segment, dana, "zoe", mode=Mode.REPLACE).total == 1


def test_change_keys__that_changes_nothing__is_no_change(bench: Bench, dana: User) -> None:
    segment = bench.segment(included=["alice"])
    before, rows = versions(bench), AuditEvent.objects.count()
    bench.keys(segment, dana, "alice")
    assert (versions(bench), AuditEvent.objects.count()) == (before, rows)


def test_change_keys__at_a_version_that_has_passed__conflicts(bench: Bench, dana: User) -> None:
    segment = bench.segment()
    bench.keys(segment, dana, "alice")
    with pytest.raises(Conflict):
        bench.keys(segment, dana, "bob", seen=segment.version)


def test_rename__is_nothing_that_evaluators_hear_of(bench: Bench, dana: User) -> None:
    segment = bench.segment()
    before = versions(bench)
    assert bench.edit(segment, dana, name="Beta testers").version == 2
    assert versions(bench) == before


def test_the_history_alone__gives_back_every_membership(bench: Bench, dana: User) -> None:
    """Digests in the history name lists that are never removed, those of deleted segments too."""
    segment = bench.segment(included=["alice"])
    bench.keys(segment, dana, *(f"user-{n}" for n in range(300)))
    assert "keys" not in (newest().after_document or {})
    bench.keys(segment, dana, "eve", which="excluded")
    bench.delete(segment, dana)
    told = [
        segment_of(segment.project, event.after_document)
        for event in AuditEvent.objects.filter(subject_kind="segment").order_by("sequence")
        if event.after_document
    ]
    assert [(len(one.included), len(one.excluded)) for one in told] == [(1, 0), (301, 0), (301, 1)]


def test_a_key_list__cannot_be_changed_in_the_database(bench: Bench) -> None:
    bench.segment(included=["alice"])
    with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
        KeyList.objects.update(count=7)


def test_edit_segment__with_the_list_of_another_project__is_refused(
    bench: Bench, dana: User, garden: Project
) -> None:
    segment, theirs = bench.segment(), key_lists.store(garden, ["gnome"], now=bench.desk.now)
    with pytest.raises(Invalid) as error:
        bench.edit(segment, dana, included=theirs.document)
    assert list(error.value.problems) == ["included"]


@pytest.mark.parametrize("person", ["bob", "charlie"])
def test_writes__who_may_not__are_forbidden(bench: Bench, charlie: User, person: str) -> None:
    user = User.objects.get(username=person)
    segment, group = bench.segment(), bench.group()
    for write in (
        lambda: bench.edit(segment, user, name="x"),
        lambda: bench.keys(segment, user, "x"),
        lambda: bench.delete(segment, user),
        lambda: bench.edit_group(group, user, name="x"),
        lambda: bench.delete_group(group, user),
    ):
        with pytest.raises(Forbidden):
            write()


def test_too_many_keys__are_refused_with_the_number(
    bench: Bench, dana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = bench.segment(included=["alice"])
    monkeypatch.setattr(key_lists, "MOST_KEYS", 2)
    with pytest.raises(Invalid, match="at most 2 keys"):
        bench.keys(segment, dana, "bob", "carol")


# What may refer to what


def test_a_circle_of_segments__is_refused_with_the_way(bench: Bench, dana: User) -> None:
    beta = bench.segment()
    bench.segment("staff", when={"segment": "beta"})
    with pytest.raises(Invalid) as error:
        bench.edit(beta, dana, when={"any": [GERMANS, {"segment": "staff"}]})
    assert error.value.problems == {
        "when.any[1].segment": "This creates a cycle: beta → staff → beta."
    }


def test_a_chain_of_segments_that_is_too_long__is_refused(bench: Bench) -> None:
    bench.segment("s0")
    for n in range(1, 20):
        bench.segment(f"s{n}", when={"segment": f"s{n - 1}"})
    with pytest.raises(Invalid, match="more than 20"):
        bench.segment("s20", when={"segment": "s19"})


def test_delete_segment__in_use__says_by_what(bench: Bench, dana: User) -> None:
    segment = bench.segment()
    bench.use(segment)
    bench.segment("staff", when={"segment": "beta"})
    with pytest.raises(InUse) as error:
        bench.delete(segment, dana)
    assert [(use.kind, use.key) for use in error.value.uses] == [
        ("flag", "new-checkout"),
        ("segment", "staff"),
    ]
    assert "New checkout" not in str(error.value)
    assert "flag “new-checkout” (Production), segment “staff”" in str(error.value)
    assert Segment.objects.filter(key="beta").exists()


UNKNOWN: dict[str, dict[str, Any]] = {
    "segment": {"rules": [{"id": "r", "when": {"segment": "x"}, "serve": {"variant": "on"}}]},
    "flag": {"prerequisites": [{"flag": "x", "variants": ["on"]}]},
    "itself": {"prerequisites": [{"flag": "new-checkout", "variants": ["on"]}]},
    "variant": {"prerequisites": [{"flag": "other", "variants": ["red"]}]},
    "group": {
        "rules": [
            {
                "id": "r",
                "when": {"all": []},
                "audience": {"percent": 100, "group": "x"},
                "serve": {"variant": "on"},
            }
        ]
    },
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_save_configuration__naming_what_is_not_there__is_refused_at_its_place(
    bench: Bench, dana: User, what: str
) -> None:
    bench.flag("other")
    with pytest.raises(Invalid) as error:
        bench.desk.save(dana, **UNKNOWN[what])
    (path,) = error.value.problems
    assert path.startswith(("rules[0].", "prerequisites[0]."))


def test_a_circle_of_flags__is_refused_in_one_environment_only(bench: Bench, dana: User) -> None:
    """What flags ask each other is a matter of the environment."""
    one, two = bench.desk.flag, bench.flag("two")
    bench.ask(one, two)
    with pytest.raises(Invalid, match="two → new-checkout → two"):
        bench.ask(two, one)
    staging = bench.desk.flag.project.environments.get(key="staging")
    configurations.save_configuration(
        flag=two,
        environment=staging,
        document=two.configurations.get(environment=staging).document
        | {"prerequisites": [{"flag": one.key, "variants": ["on"]}]},
        expected_version=two.configurations.get(environment=staging).version,
        intent=Intent(SETTING_UP, at=bench.desk.now),
    )


def test_archive_flag__that_others_ask__is_refused(bench: Bench, dana: User) -> None:
    other = bench.flag("other")
    bench.ask(bench.desk.flag, other)
    with pytest.raises(InUse, match="new-checkout"):
        bench.at(other).archive(dana)
    bench.at(bench.desk.flag).archive(dana)
    bench.at(other).archive(dana)
    with pytest.raises(Invalid) as error:
        bench.desk.restore(dana)
    assert list(error.value.problems) == ["environments.production.prerequisites[0].flag"]


def test_edit_flag__losing_a_variant_that_others_name__is_refused(bench: Bench, dana: User) -> None:
    other = bench.flag("other")
    three = [*other.variants, {"key": "soon", "value": False}]
    bench.at(other).edit(dana, variants=three)
    bench.ask(bench.desk.flag, other, "soon")
    with pytest.raises(InUse, match="new-checkout") as error:
        bench.at(other).edit(dana, variants=other.variants)
    assert list(error.value.problems) == ["variants"]
