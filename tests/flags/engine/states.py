"""Environments of several documents that refer to each other."""

from collections.abc import Mapping
from typing import Any

from flags.engine import EvaluationState, compile_flag, compile_group, compile_segment
from tests.flags.engine.documents import environment


def state_of(
    flags: Mapping[str, Any],
    segments: Mapping[str, Any] | None = None,
    groups: Mapping[str, Any] | None = None,
    now: float = 0.0,
) -> EvaluationState:
    """Flags are configurations of boolean flags, all three by key."""
    return EvaluationState(
        {key: compile_flag({**environment(**flag), "key": key}) for key, flag in flags.items()},
        {key: compile_segment({"key": key, **one}) for key, one in (segments or {}).items()},
        {key: compile_group({"key": key, **one}) for key, one in (groups or {}).items()},
        now,
    )
