"""What is served, in JsonLogic: fixed variants, and shares by flagd's ``fractional``.

flagd places a text on the weights' sum as we place ours: murmur3, times the sum, >> 32. So a split
of ours is one of flagd's by a text that begins with the salt.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Final, TypeAlias

from flags.engine import (
    Audience,
    ByLogic,
    CodeDefault,
    EnvironmentFlag,
    Fixed,
    FlagTest,
    Rule,
    Serve,
    Split,
)
from flags.engine.buckets import ALGORITHMS, AUDIENCE, GROUP, SCALE, SPLIT
from flags.engine.document import DEFAULT_ALGORITHM, RANDOM, TARGETING_KEY
from flags.transfer.exporters.base import refuse
from flags.transfer.exporters.flagd import state
from flags.transfer.exporters.flagd.logic import (
    Choice,
    Logic,
    choose,
    either,
    every,
    is_one_of,
    negate,
    same,
)
from flags.transfer.exporters.flagd.operators import write_condition
from flags.transfer.exporters.flagd.state import Writing

Share: TypeAlias = tuple[str, int]
"""A name and its weight."""

_IN: Final = "in"
_OUT: Final = "out"


@dataclass(frozen=True, slots=True)
class WrittenFlag:
    flag: EnvironmentFlag
    names: Mapping[str, str]
    writing: Writing


@dataclass(frozen=True, slots=True)
class Served:
    applies: Logic
    outcome: Logic


@singledispatch
def write_serve(serve: Serve, part: WrittenFlag) -> Served:
    raise TypeError(type(serve).__name__)


@write_serve.register
def _(serve: Fixed, part: WrittenFlag) -> Served:
    return Served(True, part.names[serve.variant])


@write_serve.register
def _(_serve: CodeDefault, _part: WrittenFlag) -> Served:
    return Served(True, None)


@write_serve.register
def _(serve: ByLogic, part: WrittenFlag) -> Served:
    if part.writing.is_inside:
        refuse("its logic chooses the variant, and only flagd itself reads what that means")
    if any(key != name for key, name in part.names.items()):
        refuse("its logic names variants that answers call otherwise")
    logic = state.write_choice(serve)
    return Served({"!==": [logic, None]}, logic)


@write_serve.register
def _(serve: Split, part: WrittenFlag) -> Served:
    writing = part.writing
    overrides: list[Choice] = [
        (write_condition(one.when, writing), part.names[one.variant]) for one in serve.overrides
    ]
    shares = [(part.names[share.variant], share.weight) for share in serve.shares]
    prefix = _prefix(serve, part.flag, SPLIT)
    placed = _by_units(serve, writing, lambda unit: _fractional(prefix, unit, shares))
    applies = either([condition for condition, _outcome in (*overrides, *placed)])
    # Where it applies and nothing before the last does, that does.
    return Served(applies, choose([*overrides, *placed[:-1]], placed[-1][1]))


def write_audience(audience: Audience | None, part: WrittenFlag) -> Logic:
    if audience is None:
        return True
    return every([_in_group(audience.group, part), _in_share(audience, part)])


def _in_share(audience: Audience, part: WrittenFlag) -> Logic:
    if audience.threshold in (0, SCALE):
        return audience.threshold == SCALE
    shares = [(_IN, audience.threshold), (_OUT, SCALE - audience.threshold)]
    prefix = _prefix(audience, part.flag, AUDIENCE)
    return _is_in(_by_units(audience, part.writing, lambda unit: _fractional(prefix, unit, shares)))


def _in_group(key: str | None, part: WrittenFlag) -> Logic:
    if key is None:
        return True
    group = part.writing.look_up("group", key, part.writing.corpus.groups)
    if group is None:
        refuse(f"there is no exclusion group '{key}' that can be evaluated")
    slot = next((one for one in group.slots if one.flag == part.flag.definition.key), None)
    if slot is None or slot.start == slot.end:
        return False
    shares = [(_OUT, slot.start), (_IN, slot.end - slot.start), (_OUT, SCALE - slot.end)]
    applies = part.writing.is_unit(group.bucket_by)
    unit = part.writing.unit_text(group.bucket_by)
    return _is_in([(applies, _fractional(f"{group.salt}.{GROUP}.", unit, shares))])


def _is_in(placed: list[Choice]) -> Logic:
    return same(choose(placed, _OUT), _IN)


def _by_units(
    one: Audience | Split, writing: Writing, place: Callable[[Logic], Logic]
) -> list[Choice]:
    paths = (one.bucket_by, *one.else_by)
    if RANDOM in paths:
        refuse("it deals out at random")
    return [(writing.is_unit(path), place(writing.unit_text(path))) for path in paths]


def _prefix(one: Audience | Split, flag: EnvironmentFlag, purpose: str) -> str:
    if one.algorithm not in (DEFAULT_ALGORITHM, "flagd"):
        refuse(f"it buckets by the algorithm '{one.algorithm}'")
    seed = ALGORITHMS[one.algorithm].seed_of(
        one.seed, flag=flag.definition.key, salt=flag.configuration.salt
    )
    prefix = f"{seed}.{purpose}." if one.algorithm == DEFAULT_ALGORITHM else seed
    if prefix != prefix.lstrip():
        refuse("it buckets by a text that begins with white space, which flagd removes")
    return prefix


def _fractional(prefix: str, unit: Logic, shares: Sequence[Share]) -> Logic:
    bucket = {"cat": [prefix, unit]} if prefix else unit
    return {"fractional": [bucket, *([name, weight] for name, weight in shares if weight)]}


# A flag's whole answer in JsonLogic: everything in order, as nested choices.


NOBODY: Final = "(no unit)"
"""No variant: flagd answers with an error, so that the application takes its own default."""


def write_answer(flag: EnvironmentFlag, names: Mapping[str, str], writing: Writing) -> Logic:
    """The name of the variant that an enabled flag serves; null for the default in the code.

    Raises NotExpressible.
    """
    part, fallthrough = WrittenFlag(flag, names, writing), flag.configuration.fallthrough
    last = write_serve(fallthrough, part)
    otherwise = NOBODY if isinstance(fallthrough, Split) else None
    return choose([*_steps(part), (last.applies, last.outcome)], otherwise)


def _steps(part: WrittenFlag) -> Iterable[Choice]:
    configuration, writing = part.flag.configuration, part.writing
    off = part.names[configuration.off_variant]
    for one in configuration.prerequisites:
        yield negate(_serves(one, writing)), off
    for target in configuration.targets:
        if target.keys:
            yield writing.is_listed(TARGETING_KEY, target.keys), part.names[target.variant]
    for rule in configuration.rules:
        yield _write_rule(rule, part)


def _write_rule(rule: Rule, part: WrittenFlag) -> Choice:
    served = write_serve(rule.serve, part)
    matches = write_condition(rule.when, part.writing)
    applies = every([matches, write_audience(rule.audience, part), served.applies])
    return applies, served.outcome


@write_condition.register
def _serves(condition: FlagTest, writing: Writing) -> Logic:
    """Whether another flag serves one of these; a flag that is not there serves none."""
    key, wanted = condition.flag, list(condition.variants)
    flag = writing.look_up("flag", key, writing.corpus.flags)
    if flag is None:
        return False
    configuration = flag.configuration
    if not configuration.enabled:
        return configuration.off_variant in wanted
    keys = {one.key: one.key for one in flag.definition.variants}
    answer = writing.inside("flag", key, lambda: write_answer(flag, keys, writing))
    return is_one_of(answer, wanted) if isinstance(answer, dict) else answer in wanted
