"""A flag's whole answer in JsonLogic: everything in order, as nested choices."""

from collections.abc import Iterable, Mapping
from typing import Final

from flags.engine import EnvironmentFlag, FlagTest, Rule, Split
from flags.engine.document import TARGETING_KEY
from flags.exporters.flagd.conditions import write_condition
from flags.exporters.flagd.logic import (
    Choice,
    Logic,
    choose,
    every,
    is_one_of,
    negate,
)
from flags.exporters.flagd.serving import Part, write_audience, write_serve
from flags.exporters.flagd.state import Writing

NOBODY: Final = "(no unit)"
"""No variant: flagd answers with an error, so that the application takes its own default."""


def write_answer(flag: EnvironmentFlag, names: Mapping[str, str], writing: Writing) -> Logic:
    """The name of the variant that an enabled flag serves; null for the default in the code.

    Raises NotExpressible.
    """
    part, fallthrough = Part(flag, names, writing), flag.configuration.fallthrough
    last = write_serve(fallthrough, part)
    otherwise = NOBODY if isinstance(fallthrough, Split) else None
    return choose([*_steps(part), (last.applies, last.outcome)], otherwise)


def _steps(part: Part) -> Iterable[Choice]:
    configuration, writing = part.flag.configuration, part.writing
    off = part.names[configuration.off_variant]
    for one in configuration.prerequisites:
        yield negate(_serves(one.flag, one.variants, writing)), off
    for target in configuration.targets:
        if target.keys:
            yield writing.is_listed(TARGETING_KEY, target.keys), part.names[target.variant]
    for rule in configuration.rules:
        yield _write_rule(rule, part)


def _write_rule(rule: Rule, part: Part) -> Choice:
    served = write_serve(rule.serve, part)
    matches = write_condition(rule.when, part.writing)
    applies = every([matches, write_audience(rule.audience, part), served.applies])
    return applies, served.outcome


@write_condition.register
def _(condition: FlagTest, writing: Writing) -> Logic:
    return _serves(condition.flag, condition.variants, writing)


def _serves(key: str, variants: Iterable[str], writing: Writing) -> Logic:
    """Whether another flag serves one of these; a flag that is not there serves none."""
    flag = writing.look_up("flag", key, writing.corpus.flags)
    if flag is None:
        return False
    configuration, wanted = flag.configuration, list(variants)
    if not configuration.enabled:
        return configuration.off_variant in wanted
    keys = {one.key: one.key for one in flag.definition.variants}
    answer = writing.inside("flag", key, lambda: write_answer(flag, keys, writing))
    return is_one_of(answer, wanted) if isinstance(answer, dict) else answer in wanted
