"""An evaluation as applications get it, and why: the answer with its explanation beside it."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from flags.engine import (
    Context,
    DocumentError,
    Reason,
    Result,
    Segment,
    World,
    results,
)
from flags.engine.document import EnvironmentFlag
from flags.engine.explaining import Explanation, explain
from flags.engine.parsing import parse_environment
from flags.models import FlagConfiguration
from flags.references.state import scenery_of

NOT_FOUND: Final = 404


FAILED: Final = 400


SERVED: Final = 200


@dataclass(frozen=True, slots=True)
class Explained:
    """Status and body of OFREP's answer to a server key; the explanation where there is one."""

    status: int
    body: Mapping[str, Any]
    explanation: Explanation | None = None

    @property
    def is_served(self) -> bool:
        return self.status == SERVED


def explain_now(configuration: FlagConfiguration, context: Context, *, now: datetime) -> Explained:
    """What an evaluator answers now for a flag in an environment, and why."""
    flag = configuration.flag
    if flag.is_archived or not configuration.introduced:
        return not_found(flag.key)
    try:
        parsed = parse_environment(configuration.environment_document())
    except DocumentError as error:
        return not_usable(flag.key, str(error.problems[0]))
    world, segments = scenery_of(configuration.environment, now, parsed.configuration)
    return explained(parsed, context, world, segments)


def explained(
    flag: EnvironmentFlag, context: Context, world: World, segments: Mapping[str, Segment]
) -> Explained:
    """The answer of a flag in a world, and why."""
    found = explain(flag, context, replace(world, draw=_draw), segments)
    return Explained(*answer_of(flag.definition.key, found.result), explanation=found)


def answer_of(key: str, result: Result) -> tuple[int, Mapping[str, Any]]:
    """Status and body as OFREP has them."""
    if result.reason is Reason.ERROR:
        return FAILED, results.failed(key, result)
    return SERVED, results.success(key, result)


def not_found(key: str) -> Explained:
    return Explained(NOT_FOUND, results.not_found(key))


def not_usable(key: str, problem: str) -> Explained:
    return Explained(FAILED, results.not_usable(key, problem[: results.PROBLEM_CHARS]))


def _draw() -> str:
    return secrets.token_hex(8)
