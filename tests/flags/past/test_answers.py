"""Asked for the past, the history answers what the evaluators answered then."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from flags import past
from flags.models import Flag
from flags.services import importing
from portal.access.models import Project, User
from portal.access.services import create_environment
from portal.lib import clock
from portal.lib.errors import AviaryError
from tests.flags.services.writes import RULE, Desk
from tests.support.answering import Answer, ask, state_of, without_version
from tests.support.people import acting, boolean_flag
from tests.support.planning import SHARED_RULE, a_ramp, a_schedule, carry_out

pytestmark = pytest.mark.django_db

CONTEXTS: list[dict[str, Any]] = [
    {"targetingKey": "u-1", "country": "DE"},
    {"targetingKey": "u-2", "country": "FR", "age": 30},
    {"country": "DE"},
]
SPLIT = {"split": [{"variant": "on", "weight": 50_000}, {"variant": "off", "weight": 50_000}]}
OTHER = "other"
ASKS = {"flag": OTHER, "variants": ["on"]}


@dataclass
class Year:
    """A project in which things change, and what its evaluators answered meanwhile."""

    desk: Desk
    alice: User
    dice: random.Random
    answered: list[tuple[datetime, str, str, dict[str, Any], Answer]] = field(default_factory=list)

    @property
    def project(self) -> Project:
        return self.desk.flag.project

    def any_desk(self) -> Desk:
        flag = self.dice.choice(list(Flag.objects.filter(project=self.project)))
        flag.project = self.project
        place = self.dice.choice(list(self.project.environments.all()))
        place.project = self.project
        return Desk(flag, place, clock.now())

    def note_answers(self) -> None:
        """What every environment answers now."""
        for place in self.project.environments.all():
            state, moment = state_of(place), clock.now()
            for key in ("new-checkout", OTHER):
                context = self.dice.choice(CONTEXTS)
                answer = ask(state, key, context, at=moment.timestamp())
                self.answered.append((moment, place.key, key, context, answer))


def target(year: Year) -> None:
    desk = year.any_desk()
    whens = [RULE["when"], {"all": []}, ASKS, {"not": ASKS}]
    if desk.flag.key == OTHER:
        whens = whens[:2]
    audience = {"audience": {"percent": year.dice.choice([0.0, 50.0, 99.0])}}
    rules = [
        RULE | {"when": year.dice.choice(whens), **year.dice.choice([{}, audience])},
    ]
    fallthrough = year.dice.choice([{"variant": "on"}, {"variant": "off"}, SPLIT])
    enabled = year.dice.random() < 0.8
    desk.save(year.alice, rules=rules, fallthrough=fallthrough, enabled=enabled)


def switch(year: Year) -> None:
    desk = year.any_desk()
    desk.switch(year.alice, not desk.configuration.enabled, seen=desk.configuration.version)


def redefine(year: Year) -> None:
    desk = year.any_desk()
    served = {"served_as": year.dice.choice(["yes", "enabled"])}
    variants = [{"key": "on", "value": True, **served}, {"key": "off", "value": False}]
    desk.edit(year.alice, variants=variants, metadata={"wave": year.dice.randrange(9)})


def archive(year: Year) -> None:
    year.any_desk().archive(year.alice)


def restore(year: Year) -> None:
    for flag in Flag.objects.archived().filter(project=year.project):
        Desk(flag, year.desk.environment, clock.now()).restore(year.alice)


def bring_in(year: Year) -> None:
    """From a file: a new flag the first time, a changed one afterwards."""
    configuration = {"enabled": True, "off_variant": "off", "fallthrough": SPLIT, "rules": [RULE]}
    document = boolean_flag(OTHER) | {
        "description": str(year.dice.random()),
        "environments": {year.desk.environment.key: configuration},
    }
    importing.import_document(
        format_name="native",
        document=[document],
        environment=year.desk.environment,
        mode="merge",
        dry_run=False,
        actor=acting(year.alice),
        now=clock.now(),
    )


def ramp(year: Year) -> None:
    year.desk.save(year.alice, enabled=True, rules=[SHARED_RULE])
    plan = a_ramp(year.desk, year.alice)
    year.note_answers()
    carry_out(plan)
    year.note_answers()
    carry_out(plan)


def schedule(year: Year) -> None:
    carry_out(a_schedule(year.desk, year.alice, year.dice.choice(["turn_on", "turn_off"])))


def grow(year: Year) -> None:
    key = f"e-{year.project.environments.count()}"
    create_environment(
        project=year.project, key=key, kind="development", actor=acting(year.alice), now=clock.now()
    )


CHANGES: dict[Callable[[Year], None], int] = {
    target: 8,
    switch: 4,
    redefine: 3,
    archive: 1,
    restore: 3,
    bring_in: 2,
    ramp: 1,
    schedule: 1,
    grow: 1,
}


@pytest.mark.parametrize("seed", range(2))
def test_past__any_changes__answers_what_evaluators_answered(
    desk: Desk, alice: User, seed: int
) -> None:
    year = Year(desk, alice, random.Random(seed))
    bring_in(year)
    for _number in range(25):
        (change,) = year.dice.choices(list(CHANGES), weights=list(CHANGES.values()))
        try:
            change(year)
        except AviaryError:
            continue  # an archived flag, or a reference that may not be
        year.note_answers()
    asked = year.dice.sample(year.answered, min(80, len(year.answered)))
    for moment, environment, flag, context, answer in asked:
        found = past.answer_at(
            project=desk.flag.project,
            environment=environment,
            flag=flag,
            context=context,
            moment=moment,
        ).explained
        body = json.loads(json.dumps(found.body))
        assert (found.status, body) == without_version(answer), (flag, environment, moment)
