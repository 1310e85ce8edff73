"""What an evaluation answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

Context: TypeAlias = Mapping[str, object]
"""The evaluation context: JSON-like attributes, the unit's own key under ``targetingKey``."""

Scalar: TypeAlias = str | int | float | bool


class Reason(StrEnum):
    """Why this variant (OpenFeature's names)."""

    STATIC = "STATIC"  # no target and no rule could have changed it
    TARGETING_MATCH = "TARGETING_MATCH"  # a target or a rule matched, and no bucket was asked
    SPLIT = "SPLIT"  # a bucket decided
    DEFAULT = "DEFAULT"  # there are targets or rules, and none matched
    DISABLED = "DISABLED"  # the flag is not enabled: its off variant
    ERROR = "ERROR"  # nothing can be served: see error_code


class ErrorCode(StrEnum):
    """OpenFeature's names of the errors that the engine itself finds."""

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
