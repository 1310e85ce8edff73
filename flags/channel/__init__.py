"""The channel between the portal and the evaluators: what is stored in Redis, and in which form.

Both sides import this package; it knows neither Django nor the evaluator.

Per environment, all keys sharing one hash tag so that a Redis cluster keeps them on one shard:

========================  ======  ==========================================================
key                       type    holds
========================  ======  ==========================================================
``aviary:{env:7}:head``   string  sealed head: which epoch and version the documents are at
``aviary:{env:7}:docs``   hash    ``flag/KEY`` or ``key/SELECTOR`` -> sealed document
``aviary:{env:7}:stream`` stream  one entry per published change, newest :data:`STREAM_LENGTH`
========================  ======  ==========================================================

``aviary:environments`` (a hash of environment id -> project/environment) lists the environments
and ``aviary:environments:changes`` (a stream) announces a new one. The other way round,
``aviary:intake:KIND`` (a stream for each kind, see ``intake``) carries what evaluators count and
see: evaluations, use of API keys, what became of what was served (telemetry), points of cumulative
metrics, and, where a project wants that, samples of contexts. ``aviary:{env:7}:reports`` (a hash,
see ``reports``) says which evaluators there are and which version each answers from.
``aviary:{env:7}:batches:SELECTOR`` (a sorted set) holds which batches of telemetry were counted,
``aviary:{env:7}:users:DAY:KIND:FLAG`` (a HyperLogLog, see ``keys``) a flag's users, and
``aviary:exposed`` with what it names (see ``exposures``) whom releases sent where.
``aviary:doubts`` (a hash of environment id -> the sealed head that is held, or nothing) is where an
evaluator says that it refused something; the relay then compares everything. It says no more than
that: a head is evidence of a set back database only where its seal holds. ``aviary:mended`` (a hash
of key -> count) is what relays had to delete or to publish anew, for the portal's metrics.
"""

from flags.channel.documents import Change, Head, StreamEntry
from flags.channel.envelope import DIGEST_MODULUS, Envelope, ForgedEnvelope, Sealer
from flags.channel.intake import (
    INTAKE_KINDS,
    KEY_USE,
    POINTS,
    SAMPLES,
    TELEMETRY,
    USAGE,
    IntakeBatch,
    IntakeKind,
)
from flags.channel.keys import (
    DOUBTS,
    MENDED,
    REGISTRY,
    REGISTRY_STREAM,
    STREAM_LENGTH,
    EnvironmentKeys,
)
from flags.channel.point_batches import SourceReport, points_in_slices, read_points
from flags.channel.telemetry import ToldCounts, in_slices, read_telemetry
from flags.channel.usage import (
    OVER_BUDGET,
    EvaluationCount,
    Missed,
    SampleBatch,
    UsageBatch,
    read_key_use,
    read_samples,
    read_usage,
)

__all__ = [
    "DIGEST_MODULUS",
    "DOUBTS",
    "INTAKE_KINDS",
    "KEY_USE",
    "MENDED",
    "OVER_BUDGET",
    "POINTS",
    "REGISTRY",
    "REGISTRY_STREAM",
    "SAMPLES",
    "STREAM_LENGTH",
    "TELEMETRY",
    "USAGE",
    "Change",
    "Envelope",
    "EnvironmentKeys",
    "EvaluationCount",
    "ForgedEnvelope",
    "Head",
    "IntakeBatch",
    "IntakeKind",
    "Missed",
    "SampleBatch",
    "Sealer",
    "SourceReport",
    "StreamEntry",
    "ToldCounts",
    "UsageBatch",
    "in_slices",
    "points_in_slices",
    "read_key_use",
    "read_points",
    "read_samples",
    "read_telemetry",
    "read_usage",
]
