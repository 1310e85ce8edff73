"""Nothing that evaluators answer in a governed environment changes before others agreed to it.

The question is not which service asks the gate but what applications get: random people and keys
call everything that writes, and every answer is compared before and after. With the gate taken out
of any one service the same must fail, or it would prove nothing.
"""

from contextlib import suppress
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import ObjectDoesNotExist

from flags.core import configurations, definitions
from flags.references import effects
from flags.schedules import commands, create
from flags.schedules.models import Plan
from flags.transfer.importing import service as import_service, target as import_place
from portal.access.models import Project, User
from portal.approvals import gate, selectors
from portal.approvals.authors import answer_for
from portal.approvals.changes import GateResult
from portal.approvals.policies import services as policies
from portal.approvals.services import rights
from portal.lib.errors import AviaryError
from portal.lib.journal import Actor, Intent
from tests.flags.references.routes import BODIES, FORMS, arguments, send, unsafe_routes
from tests.flags.references.world import Unagreed, Watch, World, build
from tests.flags.references.writers import NOT_DRIVEN, WRITERS, found_writers
from tests.portal.access_web.world import captured

STEPS = 40
ATTEMPTS = 60
VOTE = next(name for name in WRITERS if name.endswith("cast_vote"))


@pytest.fixture
def world(shop: Project, alice: User, bob: User, dana: User, erin: User, frank: User) -> World:
    return build(shop, {one.username: one for one in (alice, bob, dana, erin, frank)})


def dice_of(whole: bool) -> Random:
    """Thrown alike in every run; ``make test-all`` has others than ``make test``."""
    return Random(2 + int(whole))


def attempt(world: World, watch: Watch, dice: Random, name: str) -> bool:
    """Call one writer as somebody; whether answers changed. Raises Unagreed."""
    who = dice.choice(["erin", "frank"] if name == VOTE else [*world.actors, "dana", "alice"])
    # Refused, sent for approval, or there is nothing to call it with. No transaction around it:
    # it would take back the request that was opened.
    with suppress(AviaryError, ObjectDoesNotExist, IndexError):
        WRITERS[name](world, dice, world.actors[who])
    return watch.check(f"{who}: {name}")


def drive(world: World, dice: Random, names: list[str]) -> int:
    """How many of them changed an answer."""
    watch = Watch(world)
    return sum(attempt(world, watch, dice, name) for name in names)


def test_every_writer__is_driven_or_has_a_reason() -> None:
    found = set(found_writers())
    assert found == set(WRITERS) | NOT_DRIVEN
    assert not NOT_DRIVEN & set(WRITERS)


def test_random_writes__change_no_answer_that_nobody_agreed_to(world: World, whole: bool) -> None:
    dice, names = dice_of(whole), list(WRITERS)
    dice.shuffle(names)
    turns = [turn for name in names for turn in (name, *[VOTE] * dice.choice([0, 0, 2, 3]))]
    assert drive(world, dice, turns)  # some were agreed to, or turned something off


def test_random_requests__change_no_answer_that_nobody_agreed_to(world: World, whole: bool) -> None:
    dice, watch = dice_of(whole), Watch(world)
    wanted = {blank for name, _method in unsafe_routes() for blank in captured(name)}
    assert wanted <= set(arguments(world, dice))
    often = [one for one in unsafe_routes() if one in BODIES or one[0] in FORMS]
    for name, method in dice.sample([*unsafe_routes(), *often * 3], STEPS):
        send(world, dice, name, method)
        watch.check(f"{method} {name}")


def _passes(_change: Any, intent: Intent) -> GateResult:
    return GateResult(intent)


OPEN_GATE = SimpleNamespace(
    check=_passes,
    require=lambda *_who, **_what: None,
    require_in_each=lambda *_who, **_what: None,
    is_agreed=lambda *_what, **_how: True,
)
NO_POLICY = SimpleNamespace(policies_of=lambda _places: {})
Mutation = tuple[object, str, object]


def _answers_alone(plan: Plan, actor: Actor, _agreement: int | None) -> None:
    """Without a gate a forged agreement would be stored, which the database refuses."""
    answer_for(plan, actor, None)


def _nowhere(*_arguments: object) -> list[object]:
    return []


# What is taken out, and the writers that then must be caught.
MUTANTS: dict[str, tuple[list[Mutation], list[str]]] = {
    "configurations": ([(configurations, "gate", OPEN_GATE)], ["save_configuration"]),
    "switching": ([(configurations, "gate", OPEN_GATE)], ["set_enabled"]),
    "copying": ([(configurations, "gate", OPEN_GATE)], ["copy_configuration"]),
    "bulk": ([(configurations, "gate", OPEN_GATE)], ["change_flags"]),
    "definitions": ([(definitions, "gate", OPEN_GATE)], ["edit_flag"]),
    "archiving": ([(definitions, "gate", OPEN_GATE)], ["archive_flag"]),
    "restoring": ([(definitions, "gate", OPEN_GATE)], ["restore_flag"]),
    "segments": ([(effects, "gate", OPEN_GATE)], ["edit_segment"]),
    "key lists": ([(effects, "gate", OPEN_GATE)], ["change_keys"]),
    "groups": ([(effects, "gate", OPEN_GATE)], ["edit_group"]),
    "importing": ([(import_service, "gate", OPEN_GATE)], ["import_document"]),
    "import plans": ([(import_service, "gate", OPEN_GATE)], ["import_flags"]),
    "creating": ([(definitions, "approvals", NO_POLICY)], ["create_flag"]),
    "cloning": ([(definitions, "approvals", NO_POLICY)], ["clone_flag"]),
    "importing elsewhere": ([(import_place, "approvals", NO_POLICY)], ["import_document"]),
    "where definitions reach": ([(effects, "of_definition", _nowhere)], ["edit_flag"]),
    "where archiving reaches": ([(effects, "of_archiving", _nowhere)], ["archive_flag"]),
    "where segments reach": (
        [(effects, "reach_of", lambda *_what: effects.Reach())],
        ["edit_segment", "edit_group"],
    ),
    # A step asks again whether its plan was agreed to: both have to go.
    "plans": (
        [
            (create, "gate", OPEN_GATE),
            (commands, "gate", OPEN_GATE),
            (gate, "is_agreed", lambda *_what, **_how: True),
            (create, "answer_for", _answers_alone),
        ],
        ["create_schedule", "create_ramp", "carry_out_due"],
    ),
    "votes": (
        [(selectors, "assess_request", lambda *_what, **_how: [])],
        ["set_enabled", "apply_request"],
    ),
    "policies": ([(policies, "gate", OPEN_GATE)], ["set_policy"]),
    "roles and rules": ([(rights, "gate", OPEN_GATE)], ["reserve", "edit_role"]),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_service_without_its_gate__is_caught(
    world: World, monkeypatch: pytest.MonkeyPatch, mutant: str
) -> None:
    mutations, names = MUTANTS[mutant]
    for module, name, instead in mutations:
        monkeypatch.setattr(module, name, instead)
    wanted = [one for one in WRITERS if one.rpartition(".")[2] in names]
    with pytest.raises(Unagreed):
        drive(world, Random(mutant), wanted * ATTEMPTS)
