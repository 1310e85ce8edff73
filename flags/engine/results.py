from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

# The evaluation context: JSON-like attributes, the unit's own key under ``targetingKey``.
Context: TypeAlias = Mapping[str, object]

Scalar: TypeAlias = str | int | float | bool


class Reason(StrEnum):
    STATIC = "STATIC"  # no target and no rule could have changed it
    TARGETING_MATCH = "TARGETING_MATCH"  # a target or a rule matched, and no bucket was asked
    SPLIT = "SPLIT"  # a bucket decided
    DEFAULT = "DEFAULT"  # there are targets or rules, and none matched
    DISABLED = "DISABLED"  # the flag is not enabled: its off variant
    ERROR = "ERROR"  # nothing can be served: see error_code


class ErrorCode(StrEnum):
    TARGETING_KEY_MISSING = "TARGETING_KEY_MISSING"
    GENERAL = "GENERAL"  # it refers to a segment or group that cannot be evaluated


@dataclass(frozen=True, slots=True)
class Result:
    """One answer. Results are shared between evaluations: never change ``value`` or ``metadata``.

    ``metadata`` is a plain dict of scalars: what the definition and the variant carry; ``version``;
    ``ruleId`` when a rule matched; ``prerequisite``, the flag that turned this one off; and, when a
    bucket decided, its receipt: ``bucketPoint`` and ``bucketSalt``, from which anyone can
    recompute the point (see ``buckets``). With reason ERROR, value and variant are None; with a
    value of None and any other reason the application takes its own default.

    ``variant`` is the variant's key; ``label`` what answers call it.
    """

    value: object
    variant: str | None
    reason: Reason
    label: str = ""
    error_code: ErrorCode | None = None
    error_details: str | None = None
    metadata: Mapping[str, Scalar] = field(default_factory=dict)


# OFREP's answers as documents: the evaluator sends them, explanations show them. Stock providers
# need ``variant`` and ``reason`` with every value, ``errorDetails`` with every error, and never a
# null value; they fall back to the code default otherwise.


FLAG_NOT_FOUND: Final = "FLAG_NOT_FOUND"
GENERAL: Final = ErrorCode.GENERAL.value
# Longer keys cannot exist; an answer does not repeat more of them.
ECHO_CHARS: Final = 250
PROBLEM_CHARS: Final = 200


def success(key: str, result: Result) -> dict[str, object]:
    answer: dict[str, object] = {
        "key": key,
        "value": result.value,
        "reason": result.reason,
        "variant": result.label,
        "metadata": result.metadata,
    }
    if result.value is None:
        del answer["value"]  # OFREP's way of saying "take the default in the code"
    return answer


def failure(code: str, details: str, *, key: str | None = None) -> dict[str, object]:
    named = {} if key is None else {"key": key[:ECHO_CHARS]}
    return {**named, "errorCode": code, "errorDetails": details}


def not_found(key: str) -> dict[str, object]:
    return failure(FLAG_NOT_FOUND, f"flag {key[:ECHO_CHARS]!r} was not found", key=key)


def not_usable(key: str, problem: str) -> dict[str, object]:
    return failure(GENERAL, f"flag {key!r} cannot be evaluated: {problem}", key=key)


def failed(key: str, result: Result) -> dict[str, object]:
    details = result.error_details or f"flag {key!r} cannot be evaluated"
    return failure(result.error_code or GENERAL, details, key=key)
