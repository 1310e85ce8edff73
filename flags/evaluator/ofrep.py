import asyncio
import hashlib
import logging
import time
from collections.abc import Mapping
from typing import Final

import orjson

from flags.channel import OVER_BUDGET
from flags.channel.keys import ALL_FLAGS
from flags.engine import ErrorCode, EvaluationState, Reason, Result, Steps, results
from flags.engine.document import TARGETING_KEY
from flags.engine.results import FLAG_NOT_FOUND, GENERAL
from flags.evaluator.contents import FlagItem
from flags.evaluator.counters import Counters
from flags.evaluator.exposures import WatchedFlag
from flags.evaluator.memory import Environment
from flags.evaluator.tally import EvaluationCounts

logger = logging.getLogger("aviary.evaluator")

INTERNAL: Final = "the evaluator failed to answer: its log says why"

# The engine shares the results that need no bucket, so their JSON is worth keeping.
MAX_ENCODED: Final = 64
MAX_ENCODED_BYTES: Final = 4096
# Steps of a bulk answer before other requests get their turn, and what a flag counts by itself.
SLICE_STEPS: Final = 10_000
FLAG_STEPS: Final = 100
# Steps that one bulk answer may take; after that only flags that cost little are evaluated.
BULK_STEPS: Final = 2_000_000
FEW_STEPS: Final = 1_000

Answer = tuple[int, bytes]

# Evaluating one flag waits for nothing, so that every request can use the same.
_STEPS: Final = Steps()


def failure(code: str, details: str, *, key: str | None = None) -> bytes:
    return orjson.dumps(results.failure(code, details, key=key))


def error(details: str) -> bytes:
    return orjson.dumps({"errorDetails": details})


def evaluate_one(
    state: Environment,
    key: str,
    context: Mapping[str, object],
    *,
    is_client: bool,
    counters: Counters,
) -> Answer:
    """Status and body for one flag; client keys cannot tell a hidden flag from none."""
    tally = counters.tally.of(state.environment_id)
    item = state.flags.get(key)
    if item is None or (is_client and not item.client_visible):
        counters.evaluations[FLAG_NOT_FOUND] += 1
        tally.miss(key, is_client=is_client)
        return 404, orjson.dumps(results.not_found(key))
    counters.users.note(state.environment_id, key, context.get(TARGETING_KEY), is_client)
    watched = counters.exposures.watched(state.environment_id, is_client=is_client)
    evaluation = state.evaluation(time.time(), _STEPS)
    try:
        return _evaluate(item, context, evaluation, is_client, tally.asked, watched)
    except Exception as fault:
        _report(item, fault, tally.asked)
        return 500, error(INTERNAL)


async def evaluate_all(
    state: Environment,
    context: Mapping[str, object],
    *,
    is_client: bool,
    counters: Counters,
    stamp: bytes = b"",
) -> tuple[bytes, bytes]:
    """The body of a bulk answer, and its quoted tag: every flag the key may see, each a success or
    a failure.

    The tag is of the results themselves and of who may see them; ``stamp``, of 32 bytes at most,
    is whatever else makes one answer another. Over results, not configuration: the reference web
    provider sends its tag again after the context has changed.
    """
    items = state.client_flags if is_client else state.server_flags
    steps = Steps()
    evaluation = state.evaluation(time.time(), steps)
    scope = b"%d client" if is_client else b"%d server"
    written = _Written(scope % state.environment_id + b" " + stamp)
    spent = of_slice = 0
    asked = counters.tally.of(state.environment_id).asked
    counters.users.note(state.environment_id, ALL_FLAGS, context.get(TARGETING_KEY), is_client)
    watched = counters.exposures.watched(state.environment_id, is_client=is_client)
    for item in items:
        if of_slice > SLICE_STEPS:
            spent, of_slice = spent + of_slice, 0
            written.end_slice()
            if spent > BULK_STEPS:
                steps.most = FEW_STEPS
            await asyncio.sleep(0)
            # Taken anew after every pause: what was counted before may be on its way.
            asked = counters.tally.of(state.environment_id).asked
        steps.left = steps.most
        part = _evaluate_item(item, context, evaluation, is_client, asked, watched)
        written.parts.append(part)
        of_slice += FLAG_STEPS + steps.most - max(steps.left, 0)
    return written.end()


class _Written:
    """The results of a bulk answer. Joined and hashed slice by slice: all at once in the end would
    hold up others."""

    def __init__(self, key: bytes) -> None:
        self.parts: list[bytes] = []
        self._slices: list[bytes] = []
        self._digest = hashlib.blake2b(digest_size=16, key=key)

    def end_slice(self) -> None:
        joined = b",".join(self.parts)
        self._slices.append(joined)
        self._digest.update(joined + b",")
        self.parts.clear()

    def end(self) -> tuple[bytes, bytes]:
        self.end_slice()
        tag = b'"' + self._digest.hexdigest().encode() + b'"'
        return b'{"flags":[' + b",".join(self._slices) + b"]}", tag


def with_streams(body: bytes, streams: bytes) -> bytes:
    return body[:-1] + b',"eventStreams":' + streams + b"}"


def matches_tag(if_none_match: bytes, tag: bytes) -> bool:
    """Weak comparison against a list; some clients drop the quotes."""
    bare = tag.strip(b'"')
    for candidate in if_none_match.split(b","):
        offered = candidate.strip()
        if offered == b"*" or offered.removeprefix(b"W/").strip(b'"') == bare:
            return True
    return False


def _evaluate_item(
    item: FlagItem,
    context: Mapping[str, object],
    evaluation: EvaluationState,
    is_client: bool,
    asked: EvaluationCounts,
    watched: Mapping[str, WatchedFlag],
) -> bytes:
    try:
        return _evaluate(item, context, evaluation, is_client, asked, watched)[1]
    except Exception as fault:
        _report(item, fault, asked)
        return failure(GENERAL, INTERNAL, key=item.key)


def _evaluate(
    item: FlagItem,
    context: Mapping[str, object],
    evaluation: EvaluationState,
    is_client: bool,
    asked: EvaluationCounts,
    watched: Mapping[str, WatchedFlag],
) -> Answer:
    if item.compiled is None:
        asked[item.key, None, Reason.ERROR] += 1
        why = "" if is_client else f": {item.problem}"
        return 400, failure(GENERAL, f"flag {item.key!r} cannot be evaluated{why}", key=item.key)
    result = item.compiled.evaluate(context, evaluation)
    if watched and (one := watched.get(item.key)):
        one.note(context, result)
    reason: str = result.reason
    if reason == Reason.ERROR and evaluation.steps.left < 0:
        reason = OVER_BUDGET
    asked[item.key, result.variant, reason] += 1
    if is_client and "prerequisite" in result.metadata:
        return 200, _without_prerequisite(item.key, result)
    known = item.encoded.get(id(result))
    if known is not None and known[0] is result:
        return 200, known[1]
    if result.reason is Reason.ERROR:
        return 400, _failed(item, result, is_client)
    body = orjson.dumps(results.success(item.key, result))
    is_kept = result.reason is not Reason.SPLIT and len(item.encoded) < MAX_ENCODED
    if is_kept and len(body) <= MAX_ENCODED_BYTES:
        item.encoded[id(result)] = (result, body)  # holding the result keeps its id its own
    return 200, body


def _without_prerequisite(key: str, result: Result) -> bytes:
    """The flag that was asked may be one that a public key is not to know of."""
    answer = results.success(key, result)
    answer["metadata"] = {n: v for n, v in result.metadata.items() if n != "prerequisite"}
    return orjson.dumps(answer)


def _failed(item: FlagItem, result: Result, is_client: bool) -> bytes:
    """A public key is not told what the flag refers to."""
    hidden = is_client and result.error_code is ErrorCode.GENERAL
    details = None if hidden else result.error_details
    details = details or f"flag {item.key!r} cannot be evaluated"
    return failure(result.error_code or GENERAL, details, key=item.key)


def _report(item: FlagItem, fault: Exception, asked: EvaluationCounts) -> None:
    """Where it failed, but not the message, which could hold a part of the context."""
    asked[item.key, None, Reason.ERROR] += 1
    trace = fault.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
    logger.error("evaluating flag %r failed: %s at %s", item.key, type(fault).__name__, place)
