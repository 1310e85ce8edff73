"""What evaluators count and see of their use: of flags, of API keys, and samples of contexts.

It decides nothing, and is read strictly all the same: what the portal keeps of it is bounded.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from flags.channel.intake import IntakeBatch
from flags.engine import limits

ROWS_PER_BATCH: Final = 1_000
# Counted in place of a reason where a flag took more work than one evaluation may.
OVER_BUDGET: Final = "OVER_BUDGET"
KEYS_PER_BATCH: Final = 10_000
SAMPLES_PER_BATCH: Final = 20
MAX_SAMPLE_BYTES: Final = 4096
MAX_ATTRIBUTES: Final = 500
_SELECTOR = re.compile(r"[a-z0-9]{16}")
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


def read_key_use(batch: IntakeBatch) -> Iterator[tuple[str, float]]:
    """When keys were last used, by their selectors, in Unix seconds.

    Raises ValueError or AttributeError for what no evaluator writes.
    """
    for selector, used_at in batch.content.items():
        if not _SELECTOR.fullmatch(selector) or not 0 <= used_at < 10**10:
            raise ValueError("no key")
        yield selector, float(used_at)


# Samples: a few contexts now and then, only where a project wants that, and of each only what the
# environment's documents read. They wait in Redis for minutes at most.


@dataclass(frozen=True, slots=True)
class SampleBatch:
    """Contexts that one environment was asked with; ``taken_at`` in Unix seconds.

    ``reads`` are the attributes that were looked for in them: a context without one of these had
    none, while of any other nothing is known.
    """

    environment_id: int
    taken_at: float
    reads: tuple[str, ...]
    contexts: tuple[dict[str, Any], ...]


def is_small(context: dict[str, Any]) -> bool:
    try:
        return len(orjson.dumps(context)) <= MAX_SAMPLE_BYTES
    except TypeError:
        return False


def read_samples(batch: IntakeBatch) -> Iterator[SampleBatch]:
    """Raises ValueError, TypeError or KeyError for what no evaluator writes."""
    environment_id = int(batch.content["environment"])
    for reads, contexts in batch.content["samples"]:
        if len(reads) > MAX_ATTRIBUTES or len(contexts) > SAMPLES_PER_BATCH:
            raise ValueError("no samples")
        if not all(isinstance(one, dict) and is_small(one) for one in contexts):
            raise ValueError("no contexts")
        yield SampleBatch(environment_id, batch.last_at, tuple(map(str, reads)), tuple(contexts))
