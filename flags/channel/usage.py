"""What evaluators tell of what was asked for: counts by environment, within one minute.

They decide nothing, and are read strictly all the same: what the portal keeps of it is bounded.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from flags.channel.intake import IntakeBatch
from flags.engine import limits

ROWS_PER_BATCH: Final = 1_000
OVER_BUDGET: Final = "OVER_BUDGET"
"""Counted in place of a reason where a flag took more work than one evaluation may."""
_REASON = re.compile(r"[A-Z_]{1,30}")
_MOST_COUNT: Final = 2**40


@dataclass(frozen=True, slots=True)
class EvaluationCount:
    flag: str
    variant: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Missed:
    """How often a name was evaluated that does not exist; empty for all the others.

    ``by_client`` tells public keys, which strangers hold, from server keys.
    """

    name: str
    by_client: bool
    count: int


Row = EvaluationCount | Missed


@dataclass(frozen=True, slots=True)
class UsageBatch:
    environment_id: int
    minute: int
    last_at: float
    asked: tuple[EvaluationCount, ...] = ()
    missed: tuple[Missed, ...] = ()

    @property
    def total(self) -> int:
        rows: tuple[Row, ...] = (*self.asked, *self.missed)
        return sum(row.count for row in rows)


def write_usage(rows: Iterable[tuple[int, Row]]) -> dict[str, Any]:
    content: dict[str, Any] = {"asked": [], "missed": []}
    for place, row in rows:
        if isinstance(row, EvaluationCount):
            content["asked"].append([place, row.flag, row.variant, row.reason, row.count])
        else:
            content["missed"].append([place, row.name, row.by_client, row.count])
    return content


def read_usage(batch: IntakeBatch) -> Iterator[UsageBatch]:
    """Raises ValueError, TypeError or KeyError for what no evaluator writes."""
    asked, missed = batch.content["asked"], batch.content["missed"]
    if len(asked) + len(missed) > 4 * ROWS_PER_BATCH:  # twice what was sent before this version
        raise ValueError("too many rows")
    found: defaultdict[int, tuple[list[EvaluationCount], list[Missed]]] = defaultdict(
        lambda: ([], [])
    )
    for place, *row in asked:
        found[_whole(place)][0].append(_asked(*row))
    for place, *row in missed:
        found[_whole(place)][1].append(_missed(*row))
    for place, (counted, unknown) in found.items():
        yield UsageBatch(place, batch.minute, batch.last_at, tuple(counted), tuple(unknown))


def _asked(flag: str, variant: str, reason: str, count: int) -> EvaluationCount:
    if not _REASON.fullmatch(reason):
        raise ValueError("no reason")
    return EvaluationCount(
        _text(flag, limits.MAX_KEY_CHARS),
        _text(variant, limits.MAX_VARIANT_KEY_CHARS),
        reason,
        _whole(count),
    )


def _missed(name: str, by_client: bool, count: int) -> Missed:
    return Missed(_text(name, limits.MAX_KEY_CHARS), by_client is True, _whole(count))


def _text(value: object, most: int) -> str:
    if not isinstance(value, str) or len(value) > most or "\0" in value:
        raise ValueError("no text")
    return value


def _whole(value: int) -> int:
    if type(value) is not int or not 0 < value <= _MOST_COUNT:
        raise ValueError("no number")
    return value
