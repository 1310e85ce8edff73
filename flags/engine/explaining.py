"""Why a flag answers what it answers: every part of it in order, and what each one saw.

The explanation asks part by part what the compiled flag does in one go; that both come to the same
result is a property the tests hold them to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate

from flags.engine.buckets import SCALE, unit_of
from flags.engine.compiler import answers_of, compile_parsed
from flags.engine.conditions import compile_attribute
from flags.engine.document import (
    TARGETING_KEY,
    Audience,
    EnvironmentFlag,
    Fixed,
    FlagTest,
    Rule,
    Segment,
    Serve,
    Split,
)
from flags.engine.limits import EXPLAINED_STEPS
from flags.engine.results import Context, ErrorCode, Reason, Result
from flags.engine.serving import (
    Answers,
    Facts,
    Step as EngineStep,
    compile_audience_place,
    compile_serve,
    compile_split_place,
    compile_unit,
)
from flags.engine.state import EvaluationState, OverBudget, Steps, Unresolved
from flags.engine.tracing import Trace, TraceScope, problem_in, trace_condition, trace_flag


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where a unit lies on a line of ``total`` points, and which part of it was asked for.

    ``unit`` and ``point`` are None where the context names no unit. ``parts`` are the names, starts
    and ends of what lies on the line; ``chosen`` is the part that the point lies in, if any.
    """

    by: tuple[str, ...]
    seed: str
    unit: str | None
    point: int | None
    total: int
    parts: tuple[tuple[str, int, int], ...]
    chosen: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """One part of the flag: ``kind`` is disabled, prerequisite, target, rule or fallthrough.

    ``reached`` says whether the evaluation came to it; ``result`` is what it would answer, None
    where it does not apply. ``group``, ``audience`` and ``split`` are the hashes it asked for.
    """

    kind: str
    reached: bool
    result: Result | None
    rule: Rule | None = None
    condition: Trace | None = None
    overrides: tuple[Trace, ...] = ()
    group: Bucket | None = None
    audience: Bucket | None = None
    split: Bucket | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    result: Result
    steps: tuple[Step, ...] = field(default_factory=tuple)


def explain(
    flag: EnvironmentFlag, context: Context, state: EvaluationState, segments: Mapping[str, Segment]
) -> Explanation:
    # Whatever is drawn at random is drawn once, so that the explanation is of one evaluation.
    drawn = state.draw()
    state = replace(state, draw=lambda: drawn, steps=Steps())
    result = compile_parsed(flag).evaluate(context, state)
    if state.steps.left < 0:
        return Explanation(result)
    # It asks what the evaluation need not ask; where that is too much, the answer stands alone.
    state = replace(state, steps=Steps(EXPLAINED_STEPS))
    scope = TraceScope(context, state, segments, flag.definition.key)
    answers = answers_of(flag)
    if not flag.configuration.enabled:
        off = answers.give(flag.configuration.off_variant, Reason.DISABLED, answers.facts)
        return Explanation(off, (Step("disabled", True, off),))
    try:
        return _until_decided(_steps(flag, answers, scope))
    except OverBudget:
        return Explanation(result)
    except RecursionError:
        return Explanation(answers.fail_in_a_cycle())


def _until_decided(steps: list[Step]) -> Explanation:
    decisive = next(index for index, step in enumerate(steps) if step.result is not None)
    reached = [replace(step, reached=index <= decisive) for index, step in enumerate(steps)]
    result = steps[decisive].result
    assert result is not None
    return Explanation(result, tuple(reached))


def _steps(flag: EnvironmentFlag, answers: Answers, scope: TraceScope) -> list[Step]:
    configuration = flag.configuration
    off = configuration.off_variant
    steps = [_prerequisite_step(one, off, answers, scope) for one in configuration.prerequisites]
    if any(target.keys for target in configuration.targets):
        steps.append(_target_step(flag, answers, scope))
    steps += [_rule_step(rule, answers, scope) for rule in configuration.rules]
    reason = Reason.DEFAULT if steps else Reason.STATIC
    return [*steps, _fallthrough_step(flag, answers, scope, reason)]


def _prerequisite_step(one: FlagTest, off: str, answers: Answers, scope: TraceScope) -> Step:
    trace = trace_flag(one, scope)
    facts = {**answers.facts, "prerequisite": one.flag}
    result = None if trace.matched else answers.give(off, Reason.DISABLED, facts)
    return Step("prerequisite", True, _failed(trace, answers) or result, condition=trace)


def _failed(trace: Trace, answers: Answers) -> Result | None:
    problem = problem_in(trace)
    return _unevaluable(problem, answers) if problem else None


def _unevaluable(problem: str, answers: Answers) -> Result:
    return answers.fail(ErrorCode.GENERAL, f"It cannot be evaluated: {problem}.")


def _target_step(flag: EnvironmentFlag, answers: Answers, scope: TraceScope) -> Step:
    unit = unit_of(scope.context.get(TARGETING_KEY))
    found = next((one for one in flag.configuration.targets if unit in one.keys), None)
    if found is None:
        return Step("target", True, None)
    result = answers.give(found.variant, Reason.TARGETING_MATCH, answers.facts)
    return Step("target", True, result)


def _rule_step(rule: Rule, answers: Answers, scope: TraceScope) -> Step:
    condition = trace_condition(rule.when, scope)
    group, group_problem = _group_bucket(rule.audience, answers, scope)
    audience = _audience_bucket(rule.audience, answers, scope)
    lets_in = all(one is None or one.chosen is not None for one in (group, audience))
    result = _failed(condition, answers)
    if result is None and condition.matched and group_problem:
        result = _unevaluable(group_problem, answers)
    elif result is None and condition.matched and lets_in:
        facts = {**answers.facts, "ruleId": rule.id}
        result = _served(rule.serve, answers, scope, facts, audience)
    return Step(
        "rule",
        True,
        result,
        rule=rule,
        condition=condition,
        overrides=_override_traces(rule.serve, scope),
        group=group,
        audience=audience,
        split=_split_bucket(rule.serve, answers, scope),
    )


def _override_traces(serve: Serve, scope: TraceScope) -> tuple[Trace, ...]:
    if not isinstance(serve, Split):
        return ()
    return tuple(trace_condition(one.when, scope) for one in serve.overrides)


def _served(
    serve: Serve, answers: Answers, scope: TraceScope, facts: Facts, audience: Bucket | None
) -> Result | None:
    if isinstance(serve, Fixed) and audience is not None and audience.point is not None:
        return answers.give_by_bucket(serve.variant, facts, audience.seed, audience.point)
    return _ask(compile_serve(serve, answers, Reason.TARGETING_MATCH, facts), answers, scope)


def _ask(step: EngineStep, answers: Answers, scope: TraceScope) -> Result | None:
    try:
        return step(scope.context, scope.state)
    except Unresolved as missing:
        return _unevaluable(str(missing), answers)


def _fallthrough_step(
    flag: EnvironmentFlag, answers: Answers, scope: TraceScope, reason: Reason
) -> Step:
    serve = flag.configuration.fallthrough
    result = _ask(compile_serve(serve, answers, reason, answers.facts), answers, scope)
    return Step(
        "fallthrough",
        True,
        result or answers.nothing_left(serve),
        overrides=_override_traces(serve, scope),
        split=_split_bucket(serve, answers, scope),
    )


def _audience_bucket(
    audience: Audience | None, answers: Answers, scope: TraceScope
) -> Bucket | None:
    if audience is None or audience.threshold == SCALE:
        return None
    seed, place = compile_audience_place(answers, audience)
    point = place(scope.context, scope.state)
    inside = point is not None and point < audience.threshold
    return Bucket(
        by=(audience.bucket_by, *audience.else_by),
        seed=seed,
        unit=compile_unit(audience.bucket_by, audience.else_by)(scope.context, scope.state),
        point=point,
        total=SCALE,
        parts=(("audience", 0, audience.threshold),),
        chosen="audience" if inside else None,
    )


def _group_bucket(
    audience: Audience | None, answers: Answers, scope: TraceScope
) -> tuple[Bucket | None, str]:
    if audience is None or audience.group is None:
        return None, ""
    group = scope.state.groups.get(audience.group)
    if group is None:
        return None, f"the exclusion group {audience.group!r} cannot be evaluated"
    inside = group.gives(answers.key, scope.context, scope.state)
    bucket = Bucket(
        by=(group.source.bucket_by,),
        seed=group.source.salt,
        unit=unit_of(compile_attribute(group.source.bucket_by)(scope.context, scope.state)),
        point=group.position(scope.context, scope.state),
        total=SCALE,
        parts=tuple((slot.flag, slot.start, slot.end) for slot in group.source.slots),
        chosen=answers.key if inside else None,
    )
    return bucket, ""


def _split_bucket(serve: Serve, answers: Answers, scope: TraceScope) -> Bucket | None:
    if not isinstance(serve, Split):
        return None
    seed, place = compile_split_place(answers, serve)
    point = place(scope.context, scope.state)
    ends = list(accumulate(share.weight for share in serve.shares))
    parts = tuple(
        (share.variant, start, end)
        for share, start, end in zip(serve.shares, [0, *ends], ends, strict=False)
    )
    chosen = [name for name, start, end in parts if point is not None and start <= point < end]
    return Bucket(
        by=(serve.bucket_by, *serve.else_by),
        seed=seed,
        unit=compile_unit(serve.bucket_by, serve.else_by)(scope.context, scope.state),
        point=point,
        total=ends[-1],
        parts=parts,
        chosen=next(iter(chosen), None),
    )
