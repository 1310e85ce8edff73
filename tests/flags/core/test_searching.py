"""Finding flags in a list, and leafing through it in any order."""

from dataclasses import replace
from typing import Any

import pytest

from flags.core import selectors
from flags.core.searching import COLUMNS, FlagFilter, matching, read_sort
from flags.models import Flag
from flags.preferences.services import set_favourite
from portal.access.models import User
from tests.support.desk import Desk

pytestmark = pytest.mark.postgresql


def keys(desk: Desk, **wanted: Any) -> list[str]:
    return [
        flag.key
        for flag in selectors.all_flags(desk.flag.project, FlagFilter(**wanted), now=desk.now)
    ]


@pytest.fixture
def banner(desk: Desk, dana: User) -> Flag:
    flag = desk.create(
        dana,
        "banner",
        value_type="string",
        variants=[{"key": "a", "value": "Grüße aus Köln"}, {"key": "b", "value": ""}],
        tags=["häuser", "front"],
        owner="crew",
        description="On top",
    )
    rule = {"id": "r", "serve": {"variant": "a"}}
    rule["when"] = {"attribute": "loyalty.tier", "operator": "in", "values": ["gold"]}
    Desk(flag, desk.environment, desk.now).save(dana, rules=[rule], enabled=True)
    return flag


@pytest.mark.parametrize(
    "text", ["banner", "on TOP", "crew", "häuser", "Grüße aus", "loyalty", "loyalty.tier"]
)
def test_the_search__finds_it_wherever_it_is_said(desk: Desk, banner: Flag, text: str) -> None:
    assert keys(desk, search=text) == ["banner"]


def test_the_search__values_in_rules_and_wildcards__find_nothing(desk: Desk, banner: Flag) -> None:
    assert keys(desk, search="gold") == []
    assert keys(desk, search="%") == []


def test_filters__add_up(desk: Desk, banner: Flag, dana: User, alice: User) -> None:
    assert keys(desk, tags=("front", "häuser")) == ["banner"]
    assert keys(desk, tags=("front", "back")) == []
    assert keys(desk, owners=("crew", "dana")) == ["banner"]
    assert keys(desk, states=(("production", True), ("staging", False))) == ["banner"]
    assert keys(desk, states=(("production", True), ("staging", True))) == []
    set_favourite(flag=banner, user=dana, favourite=True)
    assert keys(desk, favourite=True, reader=dana.pk) == ["banner"]
    assert keys(desk, favourite=True, reader=alice.pk) == []
    first = keys(desk, sort=("favourite",), reader=dana.pk)
    assert first == ["banner", desk.flag.key]


@pytest.mark.parametrize("sort", [(), *((c,) for c in COLUMNS), ("kind", "-name"), ("-updated",)])
def test_leafing__in_any_order__misses_nothing_and_repeats_nothing(
    desk: Desk, dana: User, sort: tuple[str, ...]
) -> None:
    for number in range(6):
        kind = ("release", "operational")[number % 2]
        flag = desk.create(dana, f"f{number}", kind=kind, name=f"Name {9 - number}")
        set_favourite(flag=flag, user=dana, favourite=number % 3 == 0)
    wanted = FlagFilter(sort=sort, reader=dana.pk, size=2)
    project = desk.flag.project
    everything = [flag.key for flag in matching(project, wanted)]
    page = selectors.list_flags(project, wanted, now=desk.now).page
    seen, pages = [flag.key for flag in page.rows], [page]
    while page.next:
        page = selectors.list_flags(project, replace(wanted, after=page.next), now=desk.now).page
        seen += [flag.key for flag in page.rows]
        pages.append(page)
    assert seen == everything
    for before in reversed(pages[:-1]):
        page = selectors.list_flags(
            project, replace(wanted, before=page.previous), now=desk.now
        ).page
        assert page.rows == before.rows
    assert page.previous == ""


@pytest.mark.parametrize(
    "place", ["x", "[]", '["a"]', '["\\u0000", "b"]', "[1, 2]", "[" * 9000, '["2026-01-01", "a"]']
)
def test_a_made_up_place__is_the_first_page(desk: Desk, place: str) -> None:
    for wanted in (
        FlagFilter(sort=("updated",), after=place),
        FlagFilter(sort=("favourite",), before=place),
    ):
        (flag,) = selectors.list_flags(desk.flag.project, wanted, now=desk.now).flags
        assert flag == desk.flag


def test_columns_that_do_not_exist__are_left_out() -> None:
    assert read_sort("kind,-nonsense,-updated,kind,,name,owner") == ("kind", "-updated", "name")
