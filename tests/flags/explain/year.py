"""A project in which things change at random, and what its evaluators answered meanwhile."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flags.exclusion_groups.services import reshuffled
from flags.models import Flag
from flags.segments import selectors as segment_selectors
from flags.segments.key_lists import Mode
from flags.transfer.importing import service
from portal.access.models import Environment, Project, User
from portal.access.services import create_environment
from portal.lib import clock
from portal.lib.journal import Intent
from tests.support.answering import Answer, ask, state_of
from tests.support.bench import GERMANS, Bench
from tests.support.desk import RULE, Desk
from tests.support.people import acting, boolean_flag
from tests.support.planning import SHARED_RULE, a_ramp, a_schedule, carry_out

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

    @property
    def bench(self) -> Bench:
        return Bench(Desk(self.desk.flag, self.desk.environment, clock.now()))

    def any_desk(self) -> Desk:
        flag = self.dice.choice(list(Flag.objects.filter(project=self.project)))
        flag.project = self.project
        place = self.dice.choice(self.places())
        place.project = self.project
        return Desk(flag, place, clock.now())

    def places(self) -> list[Environment]:
        """The one environment, and the newest."""
        newest = self.project.environments.order_by("-pk")[0]
        return [self.desk.environment, newest]

    def note_answers(self) -> None:
        """What the environments answer now."""
        for place in self.places():
            state, moment = state_of(place), clock.now()
            for key in ("new-checkout", OTHER):
                for context in CONTEXTS:
                    answer = ask(state, key, context, at=moment.timestamp())
                    self.answered.append((moment, place.key, key, context, answer))


def target(year: Year) -> None:
    desk = year.any_desk()
    beta = {"segment": "beta"}
    whens: list[Any] = [RULE["when"], beta, beta, {"segment": "inner"}]
    if desk.flag.key != OTHER:
        whens += [ASKS, {"not": ASKS}]
    audience = {"percent": year.dice.choice([0.0, 50.0, 99.0])}
    shares: list[Any] = [{}, {"audience": audience}, {"audience": audience | {"group": "line"}}]
    rules = [RULE | {"when": year.dice.choice(whens), **year.dice.choice(shares)}]
    serves: list[Any] = [{"variant": "on"}, {"variant": "off"}, SPLIT]
    fallthrough = year.dice.choice(serves)
    enabled = year.dice.random() < 0.95
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
    service.import_document(
        format_name="native",
        document=[document],
        environment=year.desk.environment,
        mode="merge",
        dry_run=False,
        intent=Intent(acting(year.alice)),
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
        project=year.project, key=key, kind="development", intent=Intent(acting(year.alice))
    )


def list_keys(year: Year) -> None:
    beta = segment_selectors.get_segment(year.project, "beta")
    keys = year.dice.sample(["u-1", "u-2", "u-3"], 2)
    which = year.dice.choice(["included", "excluded"])
    mode = year.dice.choice([Mode.ADD, Mode.REMOVE, Mode.REPLACE])
    year.bench.keys(beta, year.alice, *keys, which=which, mode=mode)


def redraw(year: Year) -> None:
    """Who belongs to a segment by its condition."""
    beta = segment_selectors.get_segment(year.project, "beta")
    whens = [GERMANS, {"not": GERMANS}, {"segment": "inner"}]
    year.bench.edit(beta, year.alice, when=year.dice.choice(whens))


def rename(year: Year) -> None:
    """Nobody is served otherwise by it."""
    beta = segment_selectors.get_segment(year.project, "beta")
    year.bench.edit(beta, year.alice, name=str(year.dice.random()))


def deal_anew(year: Year) -> None:
    line = year.project.exclusion_groups.get(key="line")
    year.bench.edit_group(line, year.alice, **reshuffled(line))


def come_and_go(year: Year) -> None:
    """A segment that was there before under the same key is another one."""
    spare = year.bench.segment("spare", when=GERMANS)
    desk = year.any_desk()
    rule = RULE | {"when": {"segment": "spare"}}
    desk.save(year.alice, rules=[rule], enabled=True)
    year.note_answers()
    desk.save(year.alice, rules=[])
    year.bench.delete(spare, year.alice)


def begin(year: Year) -> None:
    """What the others change."""
    bring_in(year)
    grow(year)
    year.bench.segment("inner", when={"attribute": "age", "operator": "exists"})
    year.bench.segment("beta", when=GERMANS, included=["u-2"])
    slots = [{"flag": "new-checkout", "from": 0, "to": 60}, {"flag": OTHER, "from": 60, "to": 90}]
    year.bench.group("line", slots=slots)


CHANGES: dict[Callable[[Year], None], int] = {
    target: 10,
    list_keys: 6,
    redraw: 5,
    rename: 1,
    deal_anew: 3,
    come_and_go: 1,
    switch: 2,
    redefine: 3,
    archive: 1,
    restore: 4,
    bring_in: 2,
    ramp: 1,
    schedule: 1,
    grow: 1,
}
