"""How evaluators tell what they were asked with: a few contexts now and then, cut down.

Only where a project wants it, and of each context only what the environment's documents read. They
wait in Redis for minutes at most.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from flags.channel.intake import IntakeBatch

SAMPLES_PER_BATCH: Final = 20
MAX_SAMPLE_BYTES: Final = 4096
MAX_ATTRIBUTES: Final = 500


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
