"""An import takes over what refers to something that is there, and nothing else."""

from typing import Any

import pytest

from flags.models import ExclusionGroup, Flag, FlagConfiguration, Segment
from flags.transfer.importing import service, target
from portal.access.models import EnvironmentChange, User
from portal.access.permissions import Permission
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest
from portal.audit.models import AuditEvent
from portal.lib.errors import Forbidden
from portal.lib.journal import Intent
from tests.support.agreeing import set_policy, vote
from tests.support.bench import GERMANS, Bench
from tests.support.people import SETTING_UP, acting, boolean_flag
from tests.support.rows import everything_kept

pytestmark = pytest.mark.postgresql

BETA = {"key": "beta", "when": GERMANS, "included": ["ann", "ben"], "excluded": ["eve"]}
LINE = {
    "key": "line",
    "salt": "s",
    "holdout": 5.0,
    "slots": [{"flag": "cart", "from": 0.0, "to": 20.0}],
}


def run(bench: Bench, document: object, **options: Any) -> target.ImportReport:
    usual = {
        "format_name": "native",
        "mode": "merge",
        "dry_run": False,
        "intent": Intent(SETTING_UP),
    }
    return service.import_document(
        **{**usual, **options},
        document=document,
        environment=bench.desk.environment,
    )


def cart(**rule: Any) -> dict[str, Any]:
    """A flag that serves a segment, or what the rule says."""
    when = {"when": {"segment": "beta"}, "serve": {"variant": "on"}}
    configuration = {
        "enabled": True,
        "off_variant": "off",
        "fallthrough": {"variant": "off"},
        "salt": "s",
        "rules": [{"id": "r", **when, **rule}],
    }
    return boolean_flag("cart") | {"environments": {"production": configuration}}


def in_line(**more: Any) -> dict[str, Any]:
    audience = {"percent": 100, "group": "line"}
    return cart(when={"all": []}, audience=audience, **more)


def full() -> dict[str, Any]:
    more = {"key": "more", "when": {"segment": "beta"}}
    return {"flags": [in_line()], "segments": [more, BETA], "groups": [LINE]}


def asking(key: str, asked: str) -> dict[str, Any]:
    configuration = {
        "enabled": True,
        "off_variant": "off",
        "fallthrough": {"variant": "on"},
        "salt": "s",
        "prerequisites": [{"flag": asked, "variants": ["on"]}],
    }
    return boolean_flag(key) | {"environments": {"production": configuration}}


def test_flags_of_a_file__may_ask_each_other_but_not_in_a_circle_or_nowhere(bench: Bench) -> None:
    chains = {"a": "new-checkout", "b": "a", "x": "y", "y": "x", "z": "gone", "after-z": "z"}
    report = run(bench, {"flags": [asking(key, asked) for key, asked in chains.items()]})
    assert report.created == ["a", "b"]
    assert {one.flag for one in report.skipped} == {"x", "y", "z", "after-z"}
    assert set(Flag.objects.values_list("key", flat=True)) == {"a", "b", "new-checkout"}


def test_segments_and_groups_of_a_file__are_there_in_every_environment(bench: Bench) -> None:
    report = run(bench, full())
    assert report.skipped == []
    assert (report.segments.created, report.groups.created) == (["more", "beta"], ["line"])
    beta = Segment.objects.get(key="beta")
    assert (beta.included.keys, beta.excluded.keys) == (("ann", "ben"), ("eve",))
    assert ExclusionGroup.objects.get().document.items() >= LINE.items()
    for kind, times in (("segment", 6), ("group", 3)):
        assert EnvironmentChange.objects.filter(kind=kind).count() == times
    rows = AuditEvent.objects.filter(reason="import (native)").order_by("sequence")
    assert [(row.event, row.subject) for row in rows] == [
        ("segment.created", "more"),
        ("segment.created", "beta"),
        ("exclusion_group.created", "line"),
        ("flag.created", "cart"),
    ]


@pytest.mark.parametrize("dry_run", [True, False])
def test_the_same_file__again_or_as_a_dry_run__changes_nothing(bench: Bench, dry_run: bool) -> None:
    if not dry_run:
        run(bench, full())
    before = everything_kept()
    report = run(bench, full(), dry_run=dry_run)
    assert everything_kept() == before
    found = report.segments.created if dry_run else report.segments.unchanged
    assert found == ["more", "beta"]
    assert (report.groups.created or report.groups.unchanged) == ["line"]


def test_a_segment_that_differs__is_edited_and_keeps_what_people_call_it(bench: Bench) -> None:
    bench.segment("beta", name="Beta", description="Friends", included=["zoe"])
    bench.segment("kept")
    report = run(bench, {"flags": [cart()], "segments": [BETA]}, mode="replace")
    assert (report.segments.changed, report.created) == (["beta"], ["cart"])
    beta = Segment.objects.get(key="beta")
    assert (beta.name, beta.description, beta.version) == ("Beta", "Friends", 2)
    assert (beta.included.keys, beta.when) == (("ann", "ben"), GERMANS)
    assert Segment.objects.filter(key="kept").exists()
    edit = AuditEvent.objects.get(event="segment.edited")
    after: Any = edit.after_document
    assert after["keys"]["included"] == {"added": ["ann", "ben"], "removed": ["zoe"]}


def test_segments_in_a_circle_or_broken__are_reported_with_the_flags_that_name_them(
    bench: Bench,
) -> None:
    segments = [
        {"key": "beta", "when": {"segment": "ring"}},
        {"key": "ring", "when": {"segment": "beta"}},
        {"key": "wrong", "colour": 1},
        {"key": "after", "when": {"segment": "wrong"}},
        {"key": "fine"},
        {"key": "fine", "included": ["x"]},
    ]
    report = run(bench, {"flags": [cart()], "segments": segments})
    assert (report.segments.created, report.created) == (["fine"], [])
    assert [one.key for one in report.segments.skipped] == [
        "fine",
        "wrong",
        "beta",
        "ring",
        "after",
    ]
    assert [one.reason for one in report.skipped] == [
        "rules[0].when.segment: What the file says of “beta” cannot be taken over."
    ]


def test_a_group_where_users_would_lose_their_place__is_left_as_it_is(bench: Bench) -> None:
    bench.flag("cart")
    slots = [{"flag": "cart", "from": 50.0, "to": 60.0}]
    held = bench.group("line", salt="s", slots=slots)
    report = run(bench, {"flags": [in_line()], "groups": [LINE]})
    assert [one.key for one in report.groups.skipped] == ["line"]
    assert "Let a slot keep its place" in report.groups.skipped[0].reason
    assert [one.flag for one in report.skipped] == ["cart"]
    assert ExclusionGroup.objects.get().document == held.document


def test_a_part_of_a_group__stays_reserved_for_a_flag_that_is_not_here(bench: Bench) -> None:
    report = run(bench, {"flags": [], "groups": [LINE]})
    assert report.groups.created == ["line"]
    assert report.notes == ["the group line keeps a part for cart, which is no flag here"]


def test_segments_of_a_file__need_their_permission(bench: Bench, bob: User) -> None:
    """Bob may only look."""
    with pytest.raises(Forbidden):
        run(bench, full(), intent=Intent(acting(bob)))
    assert not Segment.objects.exists()


def test_an_import_of_segments__waits_where_it_is_noticed_and_then_does_as_agreed(
    bench: Bench, dana: User, alice: User
) -> None:
    """New segments are no business of the environments where nothing names them."""
    staging = bench.desk.flag.project.environments.get(key="staging")
    set_policy(staging, required_approvals=1)
    set_policy(bench.desk.environment, required_approvals=1)
    with pytest.raises(Waiting):
        run(bench, full(), intent=Intent(acting(dana)))
    assert not Segment.objects.exists()
    request = ChangeRequest.objects.get()
    assert Permission.SEGMENT_EDIT in request.permissions
    assert "New segments: more, beta." in request.words
    vote(request, alice)
    assert set(Segment.objects.values_list("key", flat=True)) == {"beta", "more"}
    assert ExclusionGroup.objects.get().key == "line"
    assert Flag.objects.filter(key="cart").exists()


# Segments of Unleash


def unleash(*values: str) -> dict[str, Any]:
    """A toggle for a segment of countries."""
    constraint = {"contextName": "country", "operator": "IN", "values": list(values)}
    segments = [{"id": 7, "name": "Home & away", "constraints": [constraint]}]
    strategy = {"name": "default", "segments": [7]}
    toggle = {"name": "cart", "enabled": True, "strategies": [strategy]}
    return {"version": 2, "features": [toggle], "segments": segments}


def condition_of_cart(bench: Bench) -> Any:
    found = FlagConfiguration.objects.get(flag__key="cart", environment=bench.desk.environment)
    return found.targeting["rules"][0]["when"]


def test_unleash__segments__are_the_projects_and_follow_the_next_file(bench: Bench) -> None:
    report = run(bench, unleash("DE"), format_name="unleash")
    assert (report.segments.created, report.notes) == (["home-away"], [])
    assert condition_of_cart(bench) == {"segment": "home-away"}
    segment = Segment.objects.get()
    assert (segment.name, segment.description) == ("Home & away", "Unleash segment 7")
    assert segment.when == GERMANS
    again = run(bench, unleash("DE"), format_name="unleash")
    assert (again.segments.unchanged, again.unchanged) == (["home-away"], ["cart"])
    next_file = run(bench, unleash("FR"), format_name="unleash")
    assert (next_file.segments.changed, next_file.unchanged) == (["home-away"], ["cart"])


@pytest.mark.parametrize("fields", [{}, {"when": GERMANS, "included": ["ann"]}])
def test_unleash__a_segment_called_like_another_one_here__is_spelled_out_in_the_flag(
    bench: Bench, fields: dict[str, Any]
) -> None:
    mine = bench.segment("home-away", description="Unleash segment 7", **fields)
    if not fields:
        Segment.objects.update(description="Mine")
    report = run(bench, unleash("DE"), format_name="unleash")
    assert (report.created, report.segments.changed) == (["cart"], [])
    assert report.notes == [
        "the project has other segments of these keys; flags get the conditions themselves: "
        "home-away"
    ]
    assert condition_of_cart(bench) == GERMANS
    assert Segment.objects.get().version == mine.version


def test_unleash__a_segment_that_is_the_same_here__is_referred_to(bench: Bench) -> None:
    bench.segment("home-away", description="Mine", when=GERMANS)
    report = run(bench, unleash("DE"), format_name="unleash")
    assert report.segments.unchanged == ["home-away"]
    assert condition_of_cart(bench) == {"segment": "home-away"}
