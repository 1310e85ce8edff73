"""How evaluators tell what was asked for: batches on one stream, each with an id of its own.

A batch holds counts of one minute. It is not sealed, for it decides nothing: whoever can write to
Redis can make a chart wrong, and no more. It is read strictly all the same, and what the portal
keeps of it is bounded.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

from flags.engine import limits

USAGE_STREAM: Final = "aviary:usage"
# Entries kept while no worker takes them: some hours of one evaluator.
USAGE_STREAM_LENGTH: Final = 10_000
ROWS_PER_BATCH: Final = 2_000
MINUTE_S: Final = 60
OVER_BUDGET: Final = "OVER_BUDGET"
"""Counted in place of a reason where a flag took more work than one evaluation may."""
_ID = re.compile(r"[0-9a-f]{32}")
_REASON = re.compile(r"[A-Z_]{1,30}")
_MOST_COUNT: Final = 2**40


@dataclass(frozen=True, slots=True)
class Asked:
    """How often one flag was answered with one variant for one reason."""

    flag: str
    variant: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Missed:
    """How often a name was asked for that answered “not found”; empty for all the others.

    ``by_client`` tells public keys, which strangers hold, from server keys.
    """

    name: str
    by_client: bool
    count: int


@dataclass(frozen=True, slots=True)
class UsageBatch:
    """What one evaluator counted in one environment within one minute.

    ``minute`` is its beginning, ``last_at`` when counting for it ended; both in Unix seconds.
    """

    id: str
    environment_id: int
    minute: int
    last_at: float
    asked: tuple[Asked, ...] = ()
    missed: tuple[Missed, ...] = ()

    @property
    def total(self) -> int:
        """Questions counted in it."""
        asked = sum(row.count for row in self.asked)
        return asked + sum(row.count for row in self.missed)

    def dump(self) -> bytes:
        return orjson.dumps(
            {
                "id": self.id,
                "environment": self.environment_id,
                "minute": self.minute,
                "last_at": self.last_at,
                "asked": [[one.flag, one.variant, one.reason, one.count] for one in self.asked],
                "missed": [[one.name, one.by_client, one.count] for one in self.missed],
            }
        )


def read_batch(content: bytes) -> UsageBatch | None:
    """A batch as an evaluator wrote it; None for what none of them writes."""
    try:
        document = orjson.loads(content)
        return _parse(document)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _parse(document: dict[str, Any]) -> UsageBatch:
    """Raises ValueError, TypeError or KeyError."""
    minute, last_at = document["minute"], float(document["last_at"])
    if not _ID.fullmatch(document["id"]) or type(minute) is not int or minute % MINUTE_S:
        raise ValueError("no batch")
    if not 0 <= minute <= last_at <= minute + 2 * MINUTE_S:
        raise ValueError("no time")
    asked, missed = document["asked"], document["missed"]
    if len(asked) + len(missed) > 2 * ROWS_PER_BATCH:
        raise ValueError("too many rows")
    return UsageBatch(
        id=document["id"],
        environment_id=_whole(document["environment"]),
        minute=minute,
        last_at=last_at,
        asked=tuple(_asked(*row) for row in asked),
        missed=tuple(_missed(*row) for row in missed),
    )


def _asked(flag: str, variant: str, reason: str, count: int) -> Asked:
    if not _REASON.fullmatch(reason):
        raise ValueError("no reason")
    return Asked(
        _text(flag, limits.MAX_KEY_CHARS),
        _text(variant, limits.MAX_VARIANT_KEY_CHARS),
        reason,
        _whole(count),
    )


def _missed(name: str, by_client: bool, count: int) -> Missed:
    return Missed(_text(name, limits.MAX_KEY_CHARS), by_client is True, _whole(count))


def _text(value: object, most: int) -> str:
    """Raises ValueError for what no database keeps."""
    if not isinstance(value, str) or len(value) > most or "\0" in value:
        raise ValueError("no text")
    return value


def _whole(value: int) -> int:
    if type(value) is not int or not 0 < value <= _MOST_COUNT:
        raise ValueError("no number")
    return value
