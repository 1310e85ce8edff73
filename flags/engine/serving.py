from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import singledispatch
from itertools import accumulate
from typing import TypeAlias

from flags.engine.buckets import ALGORITHMS, SCALE, spend_on, unit_of
from flags.engine.conditions import compile_attribute, compile_condition, compile_logic_for
from flags.engine.document import (
    RANDOM,
    TARGETING_KEY,
    Audience,
    ByLogic,
    CodeDefault,
    Fixed,
    Serve,
    Split,
    Variant,
)
from flags.engine.limits import MAX_STEPS
from flags.engine.results import Context, ErrorCode, Reason, Result, Scalar
from flags.engine.state import EvaluationState, Position, Read

Facts: TypeAlias = Mapping[str, Scalar]
Step: TypeAlias = Callable[[Context, EvaluationState], Result | None]


@dataclass(frozen=True, slots=True)
class Answers:
    key: str
    salt: str
    variants: Mapping[str, Variant]
    facts: Facts

    def give(self, key: str, reason: Reason, facts: Facts) -> Result:
        variant = self.variants[key]
        metadata = {**facts, **variant.metadata} if variant.metadata else facts
        return Result(variant.value, key, reason, variant.label, metadata=metadata)

    def give_by_bucket(self, key: str, facts: Facts, salt: str, point: int) -> Result:
        return self.give(key, Reason.SPLIT, {**facts, "bucketPoint": point, "bucketSalt": salt})

    def give_nothing(self, facts: Facts) -> Result:
        return Result(None, None, Reason.DEFAULT, metadata=facts)

    def nothing_left(self, serve: Serve) -> Result:
        """What comes of a fallthrough that serves nothing: the one case in which a missing unit
        is an error, and where logic names no variant the application's own default."""
        if isinstance(serve, ByLogic):
            return self.give_nothing(self.facts)
        name = serve.bucket_by if isinstance(serve, Split) else TARGETING_KEY
        details = f"Give a non-empty text or a whole number as '{name}': the flag is split by it."
        return self.fail(ErrorCode.TARGETING_KEY_MISSING, details)

    def fail_in_a_cycle(self) -> Result:
        return self.fail(ErrorCode.GENERAL, "It cannot be evaluated: it refers to itself.")

    def fail_over_budget(self) -> Result:
        details = (
            f"It cannot be evaluated: that takes more than {MAX_STEPS} steps."
            " Search shorter texts and lists, or for fewer values."
        )
        return self.fail(ErrorCode.GENERAL, details)

    def fail(self, code: ErrorCode, details: str) -> Result:
        return Result(
            value=None,
            variant=None,
            reason=Reason.ERROR,
            error_code=code,
            error_details=details,
            metadata=self.facts,
        )


def compile_audience(
    answers: Answers, audience: Audience | None, serve: Serve, facts: Facts
) -> Step:
    if audience is None:
        return compile_serve(serve, answers, Reason.TARGETING_MATCH, facts)
    inside = _in_group(answers, audience)
    if audience.threshold == SCALE:
        return _served_to(inside, compile_serve(serve, answers, Reason.TARGETING_MATCH, facts))
    seed, place = compile_audience_place(answers, audience)
    if isinstance(serve, Fixed):
        return _served_to(inside, _fixed_for(answers, serve.variant, facts, place, seed, audience))
    step = compile_serve(serve, answers, Reason.TARGETING_MATCH, facts)
    return _served_to(inside, _step_for(step, place, audience))


def _in_group(
    answers: Answers, audience: Audience
) -> Callable[[Context, EvaluationState], bool] | None:
    group, flag = audience.group, answers.key
    if group is None:
        return None
    return lambda context, state: state.group(group).gives(flag, context, state)


def _served_to(inside: Callable[[Context, EvaluationState], bool] | None, step: Step) -> Step:
    if inside is None:
        return step
    return lambda context, state: step(context, state) if inside(context, state) else None


def compile_audience_place(answers: Answers, audience: Audience) -> tuple[str, Position]:
    algorithm = ALGORITHMS[audience.algorithm]
    seed = algorithm.seed_of(audience.seed, flag=answers.key, salt=answers.salt)
    place = algorithm.place_audience
    assert place is not None, "the reader has checked that it has audiences"
    return seed, _compile_position(audience, lambda unit: place(seed, unit))


def _fixed_for(
    answers: Answers, variant: str, facts: Facts, place: Position, seed: str, audience: Audience
) -> Step:
    threshold = audience.threshold

    def serve(context: Context, state: EvaluationState) -> Result | None:
        found = place(context, state)
        if found is None or found >= threshold:
            return None
        return answers.give_by_bucket(variant, facts, seed, found)

    return serve


def _step_for(step: Step, place: Position, audience: Audience) -> Step:
    threshold = audience.threshold

    def serve(context: Context, state: EvaluationState) -> Result | None:
        found = place(context, state)
        return None if found is None or found >= threshold else step(context, state)

    return serve


@singledispatch
def compile_serve(serve: Serve, answers: Answers, reason: Reason, facts: Facts) -> Step:
    raise TypeError(type(serve).__name__)


@compile_serve.register
def _(serve: Fixed, answers: Answers, reason: Reason, facts: Facts) -> Step:
    result = answers.give(serve.variant, reason, facts)
    return lambda _context, _state: result


@compile_serve.register
def _(serve: CodeDefault, answers: Answers, _reason: Reason, facts: Facts) -> Step:
    nothing = answers.give_nothing(facts)
    return lambda _context, _state: nothing


@compile_serve.register
def _(serve: ByLogic, answers: Answers, _reason: Reason, facts: Facts) -> Step:
    """Always for a reason: logic may look at anything, a bucket among other things."""
    run = compile_logic_for(serve, answers.key)
    results = {key: answers.give(key, Reason.TARGETING_MATCH, facts) for key in answers.variants}
    unknown = "Its logic names a variant that it does not have."

    def choose(context: Context, state: EvaluationState) -> Result | None:
        chosen = run(context, state)
        if chosen is None:
            return None
        found = results.get(name_of(chosen) or "")
        return found or answers.fail(ErrorCode.GENERAL, unknown)

    return choose


def name_of(chosen: object) -> str | None:
    """The variant's key that logic means, as flagd reads it: without white space and quotes."""
    if isinstance(chosen, bool):
        return "true" if chosen else "false"
    if isinstance(chosen, float) and chosen.is_integer():
        return str(int(chosen))
    if isinstance(chosen, str):
        return chosen.strip().replace('"', "")
    return str(chosen) if isinstance(chosen, int | float) else None


@compile_serve.register
def _(serve: Split, answers: Answers, _reason: Reason, facts: Facts) -> Step:
    seed, place = compile_split_place(answers, serve)
    variants = [share.variant for share in serve.shares]
    ends = list(accumulate(share.weight for share in serve.shares))

    def choose(context: Context, state: EvaluationState) -> Result | None:
        found = place(context, state)
        if found is None:
            return None
        return answers.give_by_bucket(variants[bisect_right(ends, found)], facts, seed, found)

    return _overridden(answers, serve, facts, choose)


def compile_split_place(answers: Answers, split: Split) -> tuple[str, Position]:
    algorithm = ALGORITHMS[split.algorithm]
    seed = algorithm.seed_of(split.seed, flag=answers.key, salt=answers.salt)
    total = sum(share.weight for share in split.shares)
    return seed, _compile_position(split, lambda unit: algorithm.place(seed, unit, total))


def _overridden(answers: Answers, split: Split, facts: Facts, choose: Step) -> Step:
    overrides = [
        (
            compile_condition(o.when, answers.key),
            answers.give(o.variant, Reason.TARGETING_MATCH, facts),
        )
        for o in split.overrides
    ]
    if not overrides:
        return choose

    def override(context: Context, state: EvaluationState) -> Result | None:
        for matches, result in overrides:
            if matches(context, state):
                return result
        return choose(context, state)

    return override


def _compile_position(bucketing: Audience | Split, place: Callable[[str], int]) -> Position:
    read = compile_unit(bucketing.bucket_by, bucketing.else_by)

    def position(context: Context, state: EvaluationState) -> int | None:
        unit = read(context, state)
        if unit is None:
            return None
        spend_on(unit, state)
        return place(unit)

    return position


def compile_unit(
    bucket_by: str, else_by: tuple[str, ...] = ()
) -> Callable[[Context, EvaluationState], str | None]:
    reads = tuple(map(_read_unit, (bucket_by, *else_by)))
    first = reads[0]
    if len(reads) == 1:
        return lambda context, state: unit_of(first(context, state))

    def read(context: Context, state: EvaluationState) -> str | None:
        for one in reads:
            unit = unit_of(one(context, state))
            if unit is not None:
                return unit
        return None

    return read


def _read_unit(attribute: str) -> Read:
    if attribute == RANDOM:
        return lambda _context, state: state.draw()
    return compile_attribute(attribute)
