"""A flag's environment document, compiled into closures: evaluating only looks up and hashes.

Each part of a flag becomes a *step*, a function from context and state to its result, or to None
where the part does not apply; the first result wins. Results that no bucket decides are built once.
"""

from collections.abc import Mapping

from flags.engine.buckets import unit_in
from flags.engine.conditions import compile_condition
from flags.engine.document import (
    TARGETING_KEY,
    Configuration,
    EnvironmentFlag,
    FlagTest,
    Rule,
    Serve,
    Target,
)
from flags.engine.parsing import parse_environment
from flags.engine.references import instants_of, weight_of
from flags.engine.results import Context, ErrorCode, Reason, Result
from flags.engine.serving import Answers, Step, compile_audience, compile_serve
from flags.engine.state import (
    EMPTY,
    CompiledFlag,
    Evaluate,
    Evaluation,
    EvaluationState,
    OverBudget,
    Unresolved,
)


def compile_flag(document: Mapping[str, object]) -> CompiledFlag:
    """The flag of an environment document. Raises DocumentError if the document is wrong."""
    return compile_parsed(parse_environment(document))


def compile_parsed(parsed: EnvironmentFlag) -> CompiledFlag:
    definition = parsed.definition
    answers = answers_of(parsed)
    answer = _compile_configuration(answers, parsed.configuration)
    weight = weight_of(parsed.configuration)
    return CompiledFlag(
        key=definition.key,
        value_type=definition.value_type,
        client_visible=definition.client_visible,
        version=parsed.version,
        evaluate=_guarded(answer, answers, weight),
        answer=answer,
        weight=weight,
        source=parsed,
        instants=instants_of(parsed.configuration),
    )


def answers_of(flag: EnvironmentFlag) -> Answers:
    definition = flag.definition
    facts = {**definition.metadata, "version": flag.version}
    variants = {variant.key: variant for variant in definition.variants}
    return Answers(definition.key, flag.configuration.salt, variants, facts)


def _guarded(evaluate: Evaluation, answers: Answers, weight: int) -> Evaluate:
    """A reference into nothing, a cycle, or too much work is an error of this flag alone."""

    def guarded(context: Context, state: EvaluationState = EMPTY, /) -> Result:
        steps = state.steps
        steps.left = steps.most - weight
        if steps.left < 0:
            return answers.fail_over_budget()
        try:
            return evaluate(context, state)
        except OverBudget:
            return answers.fail_over_budget()
        except Unresolved as missing:
            return answers.fail(ErrorCode.GENERAL, f"It cannot be evaluated: {missing}.")
        except RecursionError:
            return answers.fail_in_a_cycle()

    return guarded


def _compile_configuration(answers: Answers, configuration: Configuration) -> Evaluation:
    if not configuration.enabled:
        disabled = answers.give(configuration.off_variant, Reason.DISABLED, answers.facts)
        return lambda _context, _state: disabled
    steps = [
        *(_compile_prerequisite(answers, configuration, p) for p in configuration.prerequisites),
        *_compile_targets(answers, configuration.targets),
        *(_compile_rule(answers, rule) for rule in configuration.rules),
    ]
    reason = Reason.DEFAULT if steps else Reason.STATIC
    otherwise = _compile_fallthrough(answers, configuration.fallthrough, reason)
    return _first_of(steps, otherwise) if steps else otherwise


def _first_of(steps: list[Step], otherwise: Evaluation) -> Evaluation:
    def evaluate(context: Context, state: EvaluationState) -> Result:
        for step in steps:
            result = step(context, state)
            if result is not None:
                return result
        return otherwise(context, state)

    return evaluate


def _compile_prerequisite(
    answers: Answers, configuration: Configuration, prerequisite: FlagTest
) -> Step:
    is_met = compile_condition(prerequisite)
    facts = {**answers.facts, "prerequisite": prerequisite.flag}
    turned_off = answers.give(configuration.off_variant, Reason.DISABLED, facts)
    return lambda context, state: None if is_met(context, state) else turned_off


def _compile_targets(answers: Answers, targets: tuple[Target, ...]) -> list[Step]:
    results: dict[str | None, Result] = {}
    for target in targets:
        result = answers.give(target.variant, Reason.TARGETING_MATCH, answers.facts)
        results.update(dict.fromkeys(target.keys, result))
    if not results:
        return []
    return [lambda context, state: results.get(unit_in(context.get(TARGETING_KEY), state))]


def _compile_rule(answers: Answers, rule: Rule) -> Step:
    matches = compile_condition(rule.when, answers.key)
    facts = {**answers.facts, "ruleId": rule.id}
    serve = compile_audience(answers, rule.audience, rule.serve, facts)
    return lambda context, state: serve(context, state) if matches(context, state) else None


def _compile_fallthrough(answers: Answers, serve: Serve, reason: Reason) -> Evaluation:
    step = compile_serve(serve, answers, reason, answers.facts)
    missing = answers.nothing_left(serve)
    return lambda context, state: step(context, state) or missing
