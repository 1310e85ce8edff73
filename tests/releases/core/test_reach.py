"""How far a command reaches for who has a part of the rights alone."""

from collections.abc import Callable
from typing import Any

import pytest

from portal.access.models import Environment, User
from portal.lib.errors import Forbidden
from portal.lib.journal import Intent
from releases.core import commands
from releases.core.models import Release
from tests.support.people import acting, create_person, give_role
from tests.support.releasing import (
    PLAN,
    a_release,
    fresh,
    let_pass,
    routed_by_flag,
    routing,
    set_by_hand,
    tick,
)

pytestmark = pytest.mark.django_db

FIRST, SECOND, LAST = PLAN["steps"]
GATES = {**PLAN, "steps": [FIRST, SECOND | {"gate": True}, LAST]}


def somebody(release: Release, role: str) -> Intent:
    person = create_person("gina")
    give_role(release.project, person, role)
    return Intent(acting(person), "because")


@pytest.mark.parametrize("tell", [commands.promote, commands.promote_fully])
def test_who_deploys_and_does_not_approve__passes_no_gate_before_it_is_reached(
    development: Environment, alice: User, tell: Callable[..., Any]
) -> None:
    release = a_release(routed_by_flag(development, checks=()), development, alice, plan=GATES)
    gina = somebody(release, "devops")
    assert commands.promote(release=release, intent=gina).step == 1  # no gate lies there
    with pytest.raises(Forbidden, match="approve releases"):
        tell(release=release, intent=gina)
    assert let_pass(release, 61).state == "waiting"
    commands.retry(release=release, intent=gina)  # the gate is not held for now
    with pytest.raises(Forbidden, match="approve releases"):
        tell(release=release, intent=gina)
    assert tell(release=release, intent=Intent(acting(alice), "because")).step == 2


def test_everybody__is_not_reached_over_a_gate_further_on(
    development: Environment, alice: User
) -> None:
    release = a_release(routed_by_flag(development, checks=()), development, alice, plan=GATES)
    with pytest.raises(Forbidden, match="approve releases"):
        commands.promote_fully(release=release, intent=somebody(release, "devops"))
    assert fresh(release).step == 0


def test_who_only_rolls_back__raises_nothing_that_somebody_has_lowered_by_hand(
    development: Environment, alice: User
) -> None:
    release = a_release(routed_by_flag(development, checks=()), development, alice)
    gina = somebody(release, "on_call_engineer")
    assert let_pass(release, 61).step == 1
    set_by_hand(release, alice, {"variant": "blue"})
    tick(release)
    with pytest.raises(Forbidden, match="deploy releases"):
        commands.jump_back(release=release, intent=gina, step=0)
    assert routing(release) == {"variant": "blue"}
    commands.jump_back(release=release, intent=Intent(acting(alice)), step=0)
    let_pass(release, 61)
    assert commands.jump_back(release=release, intent=gina, step=0).step == 0
