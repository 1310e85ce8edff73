"""A flag's environment document, compiled into closures: evaluating only looks up and hashes.

Each part of a flag becomes a *step*, a function from the context to its result, or to None where
the part does not apply; the first result wins. Results that no bucket decides are built once.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

from flags.engine.buckets import ALGORITHMS, AUDIENCE, SCALE, point, unit_of
from flags.engine.conditions import compile_attribute, compile_condition
from flags.engine.document import (
    TARGETING_KEY,
    Audience,
    Configuration,
    Fixed,
    Rule,
    Serve,
    Split,
    Target,
    ValueType,
)
from flags.engine.parsing import parse_environment
from flags.engine.results import Context, ErrorCode, Reason, Result, Scalar

Step: TypeAlias = Callable[[Context], Result | None]
Facts: TypeAlias = Mapping[str, Scalar]
Position: TypeAlias = Callable[[Context], int | None]


@dataclass(frozen=True, slots=True)
class CompiledFlag:
    """A flag ready to evaluate; ``evaluate`` never raises, whatever the context holds."""

    key: str
    value_type: ValueType
    client_visible: bool
    version: int
    evaluate: Callable[[Context], Result]


def compile_flag(document: Mapping[str, object]) -> CompiledFlag:
    """The flag of an environment document. Raises DocumentError if the document is wrong."""
    parsed = parse_environment(document)
    definition, configuration = parsed.definition, parsed.configuration
    values = {variant.key: variant.value for variant in definition.variants}
    flag = _Flag(definition.key, configuration.salt, values, {"version": parsed.version})
    return CompiledFlag(
        key=definition.key,
        value_type=definition.value_type,
        client_visible=definition.client_visible,
        version=parsed.version,
        evaluate=_compile_configuration(flag, configuration),
    )


@dataclass(frozen=True, slots=True)
class _Flag:
    """What every step of a flag builds its results from."""

    key: str
    salt: str
    values: Mapping[str, object]
    facts: Facts

    def answer(self, variant: str, reason: Reason, facts: Facts) -> Result:
        return Result(self.values[variant], variant, reason, metadata=facts)

    def answer_split(self, variant: str, facts: Facts, salt: str, point: int) -> Result:
        receipt = {**facts, "bucketPoint": point, "bucketSalt": salt}
        return Result(self.values[variant], variant, Reason.SPLIT, metadata=receipt)


def _compile_configuration(
    flag: _Flag, configuration: Configuration
) -> Callable[[Context], Result]:
    if not configuration.enabled:
        disabled = flag.answer(configuration.off_variant, Reason.DISABLED, flag.facts)
        return lambda _context: disabled
    steps = [
        *_compile_targets(flag, configuration.targets),
        *(_compile_rule(flag, rule) for rule in configuration.rules),
    ]
    reason = Reason.DEFAULT if steps else Reason.STATIC
    otherwise = _compile_fallthrough(flag, configuration.fallthrough, reason)
    return _first_of(steps, otherwise) if steps else otherwise


def _first_of(
    steps: list[Step], otherwise: Callable[[Context], Result]
) -> Callable[[Context], Result]:
    def evaluate(context: Context) -> Result:
        for step in steps:
            result = step(context)
            if result is not None:
                return result
        return otherwise(context)

    return evaluate


def _compile_targets(flag: _Flag, targets: tuple[Target, ...]) -> list[Step]:
    """One look-up, however many keys there are; no step if there are none."""
    results: dict[str | None, Result] = {}
    for target in targets:
        result = flag.answer(target.variant, Reason.TARGETING_MATCH, flag.facts)
        results.update(dict.fromkeys(target.keys, result))
    return [lambda context: results.get(unit_of(context.get(TARGETING_KEY)))] if results else []


def _compile_rule(flag: _Flag, rule: Rule) -> Step:
    matches = compile_condition(rule.when)
    serve = _compile_audience(flag, rule)
    return lambda context: serve(context) if matches(context) else None


def _compile_audience(flag: _Flag, rule: Rule) -> Step:
    """The rule's serve, for its audience only; for all of whom nothing is hashed."""
    audience, serve = rule.audience, rule.serve
    facts = {**flag.facts, "ruleId": rule.id}
    if audience is None or audience.threshold == SCALE:
        return _compile_serve(flag, serve, Reason.TARGETING_MATCH, facts)
    inside = _compile_inside(flag.salt, audience)
    if isinstance(serve, Fixed):
        return _serve_inside(flag, inside, serve.variant, facts)
    split = _compile_split(flag, serve, facts)
    return lambda context: None if inside(context) is None else split(context)


def _compile_inside(salt: str, audience: Audience) -> Position:
    """The unit's point if it lies inside the audience. Raising the percentage only adds units."""
    threshold = audience.threshold
    position = _compile_position(audience.bucket_by, lambda unit: point(salt, AUDIENCE, unit))

    def inside(context: Context) -> int | None:
        found = position(context)
        return found if found is not None and found < threshold else None

    return inside


def _serve_inside(flag: _Flag, inside: Position, variant: str, facts: Facts) -> Step:
    def serve(context: Context) -> Result | None:
        found = inside(context)
        if found is None:
            return None
        return flag.answer_split(variant, facts, flag.salt, found)

    return serve


def _compile_serve(flag: _Flag, serve: Serve, reason: Reason, facts: Facts) -> Step:
    if isinstance(serve, Split):
        return _compile_split(flag, serve, facts)
    result = flag.answer(serve.variant, reason, facts)
    return lambda _context: result


def _compile_split(flag: _Flag, split: Split, facts: Facts) -> Step:
    """The variant by bucket; None when the context has no unit."""
    algorithm = ALGORITHMS[split.algorithm]
    default = algorithm.default_seed(flag.key, flag.salt)
    seed = default if split.seed is None else split.seed
    variants = [share.variant for share in split.shares]
    ends = list(accumulate(share.weight for share in split.shares))
    position = _compile_position(
        split.bucket_by, lambda unit: algorithm.place(seed, unit, ends[-1])
    )

    def choose(context: Context) -> Result | None:
        found = position(context)
        if found is None:
            return None
        return flag.answer_split(variants[bisect_right(ends, found)], facts, seed, found)

    return choose


def _compile_position(attribute: str, place: Callable[[str], int]) -> Position:
    """Where the unit that the attribute names lies; None when it names none."""
    read = compile_attribute(attribute)

    def position(context: Context) -> int | None:
        unit = unit_of(read(context))
        return None if unit is None else place(unit)

    return position


def _compile_fallthrough(flag: _Flag, serve: Serve, reason: Reason) -> Callable[[Context], Result]:
    if isinstance(serve, Fixed):
        result = flag.answer(serve.variant, reason, flag.facts)
        return lambda _context: result
    split = _compile_split(flag, serve, flag.facts)
    missing = _missing_unit(flag, serve.bucket_by)
    return lambda context: split(context) or missing


def _missing_unit(flag: _Flag, attribute: str) -> Result:
    """Nothing is left to serve: the one case in which a missing unit is an error."""
    details = f"Give a non-empty text or a whole number as '{attribute}': the flag is split by it."
    return Result(
        value=None,
        variant=None,
        reason=Reason.ERROR,
        error_code=ErrorCode.TARGETING_KEY_MISSING,
        error_details=details,
        metadata=flag.facts,
    )
