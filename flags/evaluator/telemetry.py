"""``POST /api/v1/telemetry``: what became of what was served, told in batches.

A batch is read in one pass, with pauses for evaluations, and counted as a whole in the end: where
something fails in between, nothing of it was.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from flags.channel.telemetry import (
    COHORTS,
    FLAG,
    TESTERS,
    WIDTH_S,
    BucketKey,
    Counts,
)
from flags.engine import CompiledFlag, EvaluationState, Reason, Result, Steps
from flags.engine.limits import COHORTS_RULE, TESTERS_RULE
from flags.evaluator import entries
from flags.evaluator.batches import Batch, BatchIds
from flags.evaluator.contents import ApiKey
from flags.evaluator.counters import Counters
from flags.evaluator.framing import RequestLimits
from flags.evaluator.memory import CurrentEnvironment, Memory
from flags.evaluator.ofrep import BULK_STEPS, FEW_STEPS
from flags.evaluator.outcomes import Collector
from flags.evaluator.rule_history import ByChance, RuleHistory
from flags.evaluator.turns import SLICE_S, Turns
from flags.evaluator.variants import KnownVariants

logger = logging.getLogger("aviary.evaluator")

PATH: Final = b"/api/v1/telemetry"
# Of one piece of a body.
MOST_VALUES: Final = 100_000

UNKNOWN_RULES: Final = "this evaluator does not know the rules that were in force then"
BY_CHANCE: Final = "its flag deals out at random: tell which variant was served"
APART: Final = {COHORTS_RULE: COHORTS, TESTERS_RULE: TESTERS}
NO_VARIANT: Final = "its flag serves that context the default in the code, which is no variant"


@dataclass(slots=True)
class Telemetry:
    memory: Memory
    counters: Counters
    ids: BatchIds
    request_limits: RequestLimits
    limits: RequestLimits = field(init=False)
    history: RuleHistory = field(init=False)
    turns: Turns = field(default_factory=Turns)

    def __post_init__(self) -> None:
        told = self.request_limits
        self.limits = replace(told, body_bytes=told.telemetry_bytes, json_values=MOST_VALUES)
        self.history = RuleHistory(self.memory)

    async def take(self, place: CurrentEnvironment, key: ApiKey, raw: bytes) -> dict[str, Any]:
        """Count what a batch tells; returns the answer. Raises BadBody."""
        async with self.turns.take(len(raw)):
            batch = Batch(raw, self.limits)
            reading = Reading(place, key, self.history, self.counters.telemetry)
            await reading.read_all(batch.pieces(), self.turns.pause)
        return await self._count(reading, batch.id)

    async def _count(self, reading: "Reading", batch_id: str) -> dict[str, Any]:
        counted, accepted = self.counters.telemetry.counted, reading.accepted
        answer: dict[str, Any] = {"accepted": accepted, "rejected": reading.rejected}
        environment_id = reading.place.state.environment_id
        is_named = bool(accepted and batch_id)
        if is_named and not await self.ids.is_new(environment_id, reading.key, batch_id):
            counted["repeated"] += accepted
            return answer | {"accepted": 0, "repeated": True}
        counted["accepted"] += accepted
        counted["rejected"] += len(reading.rejected)
        await add_outcomes(self.counters.telemetry, reading.buckets)
        return answer


async def add_outcomes(collector: Collector, buckets: Mapping[BucketKey, Counts]) -> None:
    pause_at = time.monotonic() + SLICE_S
    for place, counts in buckets.items():
        # Taken anew after every pause: what was counted before may be on its way.
        collector.outcomes.add(place, counts)
        if time.monotonic() > pause_at:
            await asyncio.sleep(0)
            pause_at = time.monotonic() + SLICE_S


class Reading:
    def __init__(
        self, place: CurrentEnvironment, key: ApiKey, history: RuleHistory, collector: Collector
    ) -> None:
        self.place, self.key = place, key
        self.buckets: dict[BucketKey, Counts] = {}
        self.accepted = 0
        self.rejected: list[dict[str, Any]] = []
        self._history, self._collector = history, collector
        self._environment_id = place.state.environment_id
        self._is_client, self._by_client = key.is_client, not key.decides
        self._variants = KnownVariants(place, history, key.is_client)
        self._steps, self._spent = Steps(), 0

    async def read_all(
        self, pieces: Iterator[list[object]], pause: Callable[[], Awaitable[None]]
    ) -> None:
        """Read every outcome; others get their turn in between. Raises BadBody."""
        now, clock, read = time.time(), time.monotonic, self._read
        self._collector.turn(now)
        index, pause_at = 0, clock() + SLICE_S
        for piece in pieces:
            for outcome in piece:
                if clock() > pause_at:
                    await pause()
                    pause_at = clock() + SLICE_S
                try:
                    read(outcome, now)
                except entries.Rejected as rejected:
                    self.rejected.append({"index": index, "error": str(rejected)})
                index += 1
        self.accepted = index - len(self.rejected)

    def _read(self, outcome: object, now: float) -> None:
        """Count one outcome, or nothing of it. Raises Rejected."""
        entry = entries.check_fields(outcome)
        about, name, version, context = entries.about_of(entry)
        at = entries.instant_of(entry, now)
        durations = entries.durations_of(entry)
        count = entries.count_of(entry, durations)
        errors, kind = entries.errors_of(entry, count)
        value = entries.value_of(entry)
        if context is not None:
            about, version = self._served(name, context, at)
        elif about is FLAG:
            version = self._variants.of(name, version)
        start = int(at) // WIDTH_S * WIDTH_S
        counts = self._bucket((self._environment_id, about, name, version, self._by_client, start))
        if self._by_client and (refusal := self._collector.spend(self.key, count)):
            raise entries.Rejected(refusal)
        counts.requests += count
        counts.errors += errors
        if kind:
            counts.fail(kind, errors)
        if durations:
            _add_durations(counts.durations, durations, count)
        if value is not None:
            counts.values += 1
            counts.value_sum += value

    def _bucket(self, key: BucketKey) -> Counts:
        counts = self.buckets.get(key)
        if counts is None:
            refusal = self._collector.why_not(key)
            if refusal:
                raise entries.Rejected(refusal)
            counts = self.buckets[key] = Counts()
        return counts

    def _served(self, flag: str, context: Mapping[str, object], at: float) -> tuple[str, str]:
        rules = self._history.rules(self.place.state, at)
        if rules is None:
            raise entries.Rejected(UNKNOWN_RULES)
        item = rules.items.get(flag)
        if item is None or (self._is_client and not item.client_visible):
            raise entries.Rejected(f"there is no flag {flag!r} here")
        if item.compiled is None:
            raise entries.Rejected(f"the flag {flag!r} cannot be evaluated")
        result = self._evaluated(item.compiled, context, rules.evaluation(at, self._steps))
        if result.reason is Reason.ERROR:
            why = "takes too much work" if self._steps.left < 0 else "cannot be evaluated"
            raise entries.Rejected(f"the flag {flag!r} {why} for that context")
        if result.variant is None:
            raise entries.Rejected(NO_VARIANT)
        return APART.get(str(result.metadata.get("ruleId")), FLAG), result.variant

    def _evaluated(
        self, flag: CompiledFlag, context: Mapping[str, object], evaluation: EvaluationState
    ) -> Result:
        try:
            result = flag.evaluate(context, evaluation)
        except ByChance:
            raise entries.Rejected(BY_CHANCE) from None
        except Exception as fault:  # whatever is wrong with one flag must not take the others along
            logger.error("evaluating flag %r failed: %s", flag.key, type(fault).__name__)
            raise entries.Rejected(f"the flag {flag.key!r} cannot be evaluated") from None
        steps = self._steps
        self._spent += steps.most - max(steps.left, 0)
        if self._spent > BULK_STEPS:
            steps.most = FEW_STEPS
        return result


def _add_durations(held: dict[int, int], durations: list[int], count: int) -> None:
    """A single one is the duration of each of the outcomes."""
    times = count if len(durations) == 1 else 1
    for bucket in durations:
        held[bucket] = held.get(bucket, 0) + times
