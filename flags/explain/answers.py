"""An evaluation as applications get it, and why: the answer with its explanation beside it."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from flags.engine import (
    Context,
    DocumentError,
    EvaluationState,
    Reason,
    Result,
    results,
)
from flags.engine.document import EnvironmentFlag
from flags.engine.explaining import Explanation, explain
from flags.engine.parsing import parse_environment
from flags.models import FlagConfiguration
from flags.references.state import StoredDocuments, load_state

NOT_FOUND: Final = 404


FAILED: Final = 400


SERVED: Final = 200


@dataclass(frozen=True, slots=True)
class ExplainedAnswer:
    """Status and body of OFREP's answer to a server key; the explanation where there is one."""

    status: int
    body: Mapping[str, Any]
    explanation: Explanation | None = None

    @property
    def is_served(self) -> bool:
        return self.status == SERVED


def explain_now(
    configuration: FlagConfiguration, context: Context, *, now: datetime
) -> ExplainedAnswer:
    flag = configuration.flag
    if flag.is_archived or not configuration.introduced:
        return not_found(flag.key)
    try:
        parsed = parse_environment(configuration.environment_document())
    except DocumentError as error:
        return not_usable(flag.key, str(error.problems[0]))
    source = StoredDocuments(configuration.environment)
    return explained(parsed, context, load_state(source, now, [parsed.configuration]))


def explained(flag: EnvironmentFlag, context: Context, state: EvaluationState) -> ExplainedAnswer:
    segments = {key: one.source for key, one in state.segments.items()}
    found = explain(flag, context, replace(state, draw=_draw), segments)
    return ExplainedAnswer(*answer_of(flag.definition.key, found.result), explanation=found)


def answer_of(key: str, result: Result) -> tuple[int, Mapping[str, Any]]:
    if result.reason is Reason.ERROR:
        return FAILED, results.failed(key, result)
    return SERVED, results.success(key, result)


def not_found(key: str) -> ExplainedAnswer:
    return ExplainedAnswer(NOT_FOUND, results.not_found(key))


def not_usable(key: str, problem: str) -> ExplainedAnswer:
    return ExplainedAnswer(FAILED, results.not_usable(key, problem[: results.PROBLEM_CHARS]))


def _draw() -> str:
    return secrets.token_hex(8)
