"""How evaluators tell what they were asked with: a few contexts now and then, cut down.

Only where a project wants it, and of each context only what the environment's documents read.
Batches are sealed, for approvers look at what comes of them; they wait in Redis for minutes at
most.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import orjson

from flags.channel.envelope import Envelope, ForgedEnvelope, Sealer

SAMPLES_STREAM: Final = "aviary:samples"
SAMPLES_STREAM_LENGTH: Final = 100
SAMPLES_KEPT_FOR_S: Final = 600
SAMPLES_PER_BATCH: Final = 20
MAX_SAMPLE_BYTES: Final = 4096
MAX_ATTRIBUTES: Final = 500
_FIELD: Final = "samples"


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

    def seal(self, sealer: Sealer) -> dict[str, bytes]:
        """The fields of an entry of the stream."""
        document = {"at": self.taken_at, "reads": self.reads, "contexts": self.contexts}
        envelope = Envelope(_FIELD, int(self.taken_at), document)
        sealed = sealer.seal(envelope, environment_id=self.environment_id, field=_FIELD)
        return {"environment": b"%d" % self.environment_id, "sealed": sealed}


def is_small(context: dict[str, Any]) -> bool:
    """Whether a context is one to keep; what is no JSON is not."""
    try:
        return len(orjson.dumps(context)) <= MAX_SAMPLE_BYTES
    except TypeError:
        return False


def open_samples(fields: dict[bytes, bytes], sealer: Sealer) -> SampleBatch | None:
    """A batch as an evaluator sealed it; None for what none of them did."""
    try:
        environment_id = int(fields[b"environment"])
        envelope = sealer.open(fields[b"sealed"], environment_id=environment_id, field=_FIELD)
        return _parse(environment_id, envelope.document or {})
    except (ForgedEnvelope, ValueError, TypeError, KeyError):
        return None


def _parse(environment_id: int, document: dict[str, Any]) -> SampleBatch:
    """Raises ValueError, TypeError or KeyError."""
    at, reads, contexts = float(document["at"]), document["reads"], document["contexts"]
    if not math.isfinite(at) or len(reads) > MAX_ATTRIBUTES or len(contexts) > SAMPLES_PER_BATCH:
        raise ValueError("no batch")
    if not all(isinstance(one, dict) for one in contexts):
        raise ValueError("no contexts")
    return SampleBatch(environment_id, at, tuple(map(str, reads)), tuple(contexts))
