"""Storing what evaluators send up: each batch once, whatever dies in between.

The note that a batch was taken is written in the transaction of its effect, and only then does it
leave Redis. Nothing that Redis holds is believed but what an evaluator sealed. A kind that cannot
be stored holds up no other; a batch that cannot be stored for 15 minutes is lost, and counted.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic, TypeVar, cast

import orjson
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from redis import RedisError

from flags.channel import KEY_USE, USAGE, IntakeBatch, IntakeKind, Sealer
from flags.channel.intake import MAX_BATCH_BYTES, MINUTE_S, READ_SCRIPT, open_batch
from flags.models import IntakeLoss, LossCause, TakenBatch
from flags.snapshots import relay
from portal.lib import clock
from portal.lib.upserting import add_or_insert
from portal.runs.failpoints import failpoint
from portal.runs.runner import for_each

logger = logging.getLogger(__name__)

# One transaction each: others want to write too.
BATCHES_AT_ONCE: Final = 50
BYTES_AT_ONCE: Final = 4 * 2**20
# A batch may wait in its evaluator before it waits in Redis.
LATER_BY: Final = timedelta(hours=1)
CLOCKS_DIFFER_BY: Final = timedelta(minutes=5)
TRIED_FOR: Final = timedelta(minutes=15)
# A batch may come again for as long as it would be taken, so word of it is kept for longer.
TAKEN_KEPT_FOR: Final = timedelta(days=2)
LOSSES_KEPT_FOR: Final = timedelta(days=35)
# Where evaluators left counts, unsealed, and the last use of keys before there were batches. Their
# samples, a random choice that Redis forgets after ten minutes, are not waited for.
OLD_USAGE: Final = "aviary:usage"
OLD_KEY_USE: Final = "aviary:keys:used"

T = TypeVar("T")
Open = Callable[[bytes], IntakeBatch | None]
Page = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class IntakeReader(Generic[T]):
    """What becomes of a kind of batches.

    ``decode`` raises ValueError, TypeError, KeyError or AttributeError for what no evaluator
    writes. ``store`` is called in a transaction, and returns how many things were of what is gone.
    """

    kind: IntakeKind
    decode: Callable[[IntakeBatch], Iterable[T]]
    store: Callable[[Collection[T], datetime], int]

    def __str__(self) -> str:
        return f"intake of {self.kind.name}"


_READERS: dict[str, IntakeReader[Any]] = {}


def register(
    kind: IntakeKind,
    decode: Callable[[IntakeBatch], Iterable[T]],
    store: Callable[[Collection[T], datetime], int],
) -> None:
    """Let the worker store batches of a kind."""
    _READERS[kind.name] = IntakeReader(kind, decode, store)


def drain() -> None:
    """Store what is in Redis, oldest first, until there is no more; what fails comes next time."""
    for_each(_READERS.values(), _drain_kind)


def _drain_kind(reader: IntakeReader[Any]) -> None:
    try:
        _drain_stream(reader.kind.stream, reader, _sealed(reader.kind))
        if reader.kind == USAGE:
            _drain_stream(OLD_USAGE, reader, _old_usage)
        elif reader.kind == KEY_USE:
            _drain_old_key_use()
    except RedisError as error:  # nothing is lost: evaluators and Redis keep it until the next time
        logger.info("%s waits: %s", reader, type(error).__name__)


def _drain_stream(stream: str, reader: IntakeReader[Any], opened: Open) -> None:
    after = b"-"
    while page := _read(stream, after):
        after = b"(" + page[-1][0]
        done = _take_page(reader, page, opened)
        if not done:
            return
        relay.connection(patient=True).xdel(stream, *done)


def _read(stream: str, after: bytes) -> Page:
    """The oldest batches behind a place. Raises redis.RedisError."""
    limits = (BATCHES_AT_ONCE, MAX_BATCH_BYTES, BYTES_AT_ONCE)
    redis = relay.connection(patient=True)
    return cast(Page, redis.eval(READ_SCRIPT, 1, stream, after, *limits))


def _take_page(reader: IntakeReader[Any], page: Page, opened: Open) -> list[bytes]:
    """Store batches, each alone where they cannot be stored together; returns which ones were."""
    batches = {place: opened(sealed) for place, sealed in page}
    now = clock.now()
    try:
        take(reader.kind, batches.values(), now=now)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("%s is tried again, each batch alone", reader)
        return [place for place, batch in batches.items() if _take_alone(reader, place, batch, now)]
    failpoint("intake-after-commit")
    return list(batches)


def _take_alone(
    reader: IntakeReader[Any], place: bytes, batch: IntakeBatch | None, now: datetime
) -> bool:
    """Whether the batch may leave Redis."""
    try:
        take(reader.kind, [batch], now=now)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        arrived_at = _moment(int(place.partition(b"-")[0]) / 1000)
        if now - arrived_at < TRIED_FOR or batch is None:
            return False
        logger.error("%s: a batch is given up: %s", reader, type(error).__name__)
        with transaction.atomic():
            if _remember({batch.id: batch}, now):
                _note_losses(reader.kind, Counter({LossCause.DROPPED: batch.count}), now)
    return True


@transaction.atomic
def take(kind: IntakeKind, batches: Iterable[IntakeBatch | None], *, now: datetime) -> int:
    """Store those batches that nobody has stored yet; returns how many that were.

    None stands for one that cannot be read. Raises what storing raises, and IntegrityError where
    another worker is at the same batches; nothing is stored then.
    """
    reader, found = _READERS[kind.name], list(batches)
    given = {batch.id: batch for batch in found if batch is not None}
    losses, things = Counter({LossCause.UNREADABLE: found.count(None)}), list[Any]()
    fresh = _remember(given, now)
    for batch in fresh:
        losses[LossCause.DROPPED] += batch.dropped
        if not _is_timely(batch, now):
            losses[LossCause.DROPPED] += batch.count
        elif batch.content is not None:
            try:
                things += list(reader.decode(batch))
            except (ValueError, TypeError, KeyError, AttributeError):
                losses[LossCause.UNREADABLE] += 1
    losses[LossCause.GONE] += reader.store(things, now) if things else 0
    _note_losses(kind, losses, now)
    failpoint("intake-before-commit")
    return len(fresh)


def forget_old_batches(*, now: datetime) -> None:
    """Delete word of batches that cannot come again, and of losses that nobody looks at."""
    TakenBatch.objects.filter(taken_at__lt=now - TAKEN_KEPT_FOR).delete()
    IntakeLoss.objects.filter(minute__lt=now - LOSSES_KEPT_FOR).delete()


def _remember(given: dict[str, IntakeBatch], now: datetime) -> list[IntakeBatch]:
    """Note the batches that nobody has taken. Raises IntegrityError where somebody just does."""
    known = TakenBatch.objects.filter(batch_id__in=given).values_list("batch_id", flat=True)
    fresh = [given[one] for one in given.keys() - set(known)]
    TakenBatch.objects.bulk_create(TakenBatch(batch_id=one.id, taken_at=now) for one in fresh)
    return fresh


def _is_timely(batch: IntakeBatch, now: datetime) -> bool:
    age = now - _moment(batch.minute)
    most = timedelta(seconds=batch.kind.kept_for_s) + LATER_BY
    if -CLOCKS_DIFFER_BY <= age <= most:
        return True
    text = "%s: %d are not counted: their minute is %s; do the clocks agree?"
    logger.warning(text, batch.kind.name, batch.count, _moment(batch.minute))
    return False


def _note_losses(kind: IntakeKind, losses: Counter[LossCause], now: datetime) -> None:
    minute = now.replace(second=0, microsecond=0)
    rows = [
        {"kind": kind.name, "cause": cause.value, "minute": minute, "count": count}
        for cause, count in losses.items()
        if count
    ]
    add_or_insert(IntakeLoss, rows, by=["minute", "kind", "cause"], adds=["count"])


def _sealed(kind: IntakeKind) -> Open:
    sealer = Sealer(settings.SNAPSHOT_KEY)
    return lambda sealed: open_batch(kind, sealed, sealer)


def _drain_old_key_use() -> None:
    redis = relay.connection(patient=True)
    found = cast(dict[bytes, bytes], redis.hgetall(OLD_KEY_USE))
    if not found:
        return
    now, used = clock.now(), {}
    for selector, at in found.items():
        with suppress(ValueError):
            used[selector.decode()] = float(at)
    minute = int(now.timestamp()) // MINUTE_S * MINUTE_S
    take(KEY_USE, [IntakeBatch(KEY_USE, minute, now.timestamp(), used)], now=now)
    redis.delete(OLD_KEY_USE)


def _old_usage(raw: bytes) -> IntakeBatch | None:
    """Counts of one environment, as evaluators wrote them before."""
    try:
        told = orjson.loads(raw)
        place, rows = told["environment"], ("asked", "missed")
        content = {name: [[place, *row] for row in told[name]] for name in rows}
        return IntakeBatch(USAGE, told["minute"], float(told["last_at"]), content, id=told["id"])
    except (ValueError, TypeError, KeyError):
        return None


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
