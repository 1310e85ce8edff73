"""The guide's ``rollback_config`` block: its triggers as checks, its strategy, its channels."""

import re
from dataclasses import dataclass
from typing import Any, Final

from portal.lib.documents import Reader, integer, list_of, one_of, record, refuse
from releases.engine.checks import Check, Kind
from releases.engine.plans import ReturnStrategy

CHANNELS: Final = ("email", "slack", "pagerduty")
# Until a channel of notifications is set up, the others reach nobody, and that is said.
CHANNELS_THAT_WORK: Final = ("email",)
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"([0-9]{1,9})\s?(ms|s|m|h)")
_PERCENT: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)\s?%?")


@dataclass(frozen=True, slots=True)
class RollbackConfig:
    """What takes a release back, how, and who is told. ``checks`` are guardrails."""

    checks: tuple[Check, ...]
    return_strategy: ReturnStrategy
    channels: tuple[str, ...]


def _read_duration_s(value: object) -> float:
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        refuse("Give a time such as 5m, 30s or 2000ms.")
    return int(found[1]) * _UNITS[found[2]]


def _read_window(value: object) -> int:
    seconds = _read_duration_s(value)
    if not 10 <= seconds <= 3600 or seconds % 1:
        refuse("Give a window of 10s to 1h.")
    return int(seconds)


def _read_rate(value: object) -> float:
    shown = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    found = _PERCENT.fullmatch(shown.strip()) if isinstance(shown, str) else None
    if found is None or float(found[1]) > 100:
        refuse("Give a percentage such as 5%.")
    return float(found[1])


def _read_milliseconds(value: object) -> float:
    milliseconds = _read_duration_s(value) * 1000
    if milliseconds <= 0:
        refuse("Give a time above 0, such as 2000ms.")
    return milliseconds


def _errors(threshold: float, window: int) -> Check:
    return Check(key="error_rate", kind=Kind.ERROR_RATE, threshold=threshold, window_s=window)


def _latency(p95_threshold: float, window: int) -> Check:
    return Check(key="response_time", kind=Kind.LATENCY, threshold=p95_threshold, window_s=window)


def _health(threshold: int, window: int) -> Check:
    return Check(key="health_check_failures", kind=Kind.HTTP, threshold=threshold, window_s=window)


_TRIGGERS: Final[dict[str, Reader[Any]]] = {
    "error_rate": record(_errors, {"threshold": _read_rate, "window": _read_window}),
    "response_time": record(
        _latency, {"p95_threshold": _read_milliseconds, "window": _read_window}
    ),
    "health_check_failures": record(
        _health, {"threshold": integer(1, 1000), "window": _read_window}
    ),
}


def _config(
    triggers: dict[str, Check],
    rollback_strategy: str = "immediate",
    notification_channels: tuple[str, ...] = (),
) -> RollbackConfig:
    return RollbackConfig(
        tuple(triggers.values()), ReturnStrategy(rollback_strategy), notification_channels
    )


read_rollback_config: Final[Reader[RollbackConfig]] = record(
    _config,
    {"triggers": record(dict, {}, _TRIGGERS)},
    {
        "rollback_strategy": one_of([one.value for one in ReturnStrategy], "strategy"),
        "notification_channels": list_of(one_of(CHANNELS, "channel"), most=len(CHANNELS)),
    },
)
"""Reads the block as the guide has it. Raises DocumentError with every problem."""
