"""Storing what evaluators send up: each batch once, whatever dies in between.

The note that a batch was taken is written in the transaction of its effect, and only then does it
leave Redis. Nothing that Redis holds is believed but what an evaluator sealed. A kind that cannot
be stored holds up no other: its batches stay in Redis, until they are too old.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar, cast

import orjson
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from redis import RedisError

from flags.channel import USAGE, IntakeBatch, IntakeKind, Sealer
from flags.channel.intake import MAX_BATCH_BYTES, READ_SCRIPT, open_batch
from flags.delivery import relay
from flags.models import IntakeLoss, LossCause, TakenBatch
from portal.lib import clock
from portal.lib.patience import let_others_write
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
# A batch may come again for as long as it would be taken, so word of it is kept for longer.
TAKEN_KEPT_FOR: Final = timedelta(days=2)
LOSSES_KEPT_FOR: Final = timedelta(days=35)
# Where evaluators left counts, unsealed, before there were batches.
OLD_USAGE: Final = "aviary:usage"

T = TypeVar("T")
Open = Callable[[IntakeKind, bytes], IntakeBatch | None]
_READERS: dict[IntakeKind, tuple[Callable[..., Any], Callable[..., int]]] = {}
Slices = Iterable[list[tuple[str, IntakeBatch]]]
_SLICERS: dict[IntakeKind, Callable[[list[IntakeBatch]], Slices]] = {}


def register(
    kind: IntakeKind,
    decode: Callable[[IntakeBatch], Iterable[T]],
    store: Callable[[Collection[T], datetime], int],
    in_slices: Callable[[list[IntakeBatch]], Slices] | None = None,
) -> None:
    """Let the worker store batches of a kind.

    ``decode`` raises ValueError, TypeError, KeyError or AttributeError for what no evaluator
    writes. ``store`` is called in a transaction, and returns how many things were of what is gone.
    ``in_slices`` says which parts of batches are stored in one transaction, each with the id of its
    batch; all at once without it.
    """
    _READERS[kind] = decode, store
    if in_slices:
        _SLICERS[kind] = in_slices


def drain() -> None:
    opened: Open = partial(open_batch, sealer=Sealer(settings.SNAPSHOT_KEY))
    sources = [(kind, kind.stream, opened) for kind in _READERS]
    for_each([*sources, (USAGE, OLD_USAGE, _open_old)], lambda one: _drain_stream(*one))


def _drain_stream(kind: IntakeKind, stream: str, opened: Open) -> None:
    redis, after = relay.connection(patient=True), b"-"
    limits = (BATCHES_AT_ONCE, MAX_BATCH_BYTES, BYTES_AT_ONCE)
    try:
        while page := cast(list[Any], redis.eval(READ_SCRIPT, 1, stream, after, *limits)):
            after = b"(" + page[-1][0]
            batches = {place: opened(kind, raw) for place, raw in page}
            failed = _store_page(kind, list(batches.values()))
            done = [place for place, one in batches.items() if (one and one.id) not in failed]
            if not done:
                return
            failpoint("intake-after-commit")
            redis.xdel(stream, *done)
    except RedisError as error:  # nothing is lost: evaluators and Redis keep it until the next time
        logger.info("intake of %s waits: %s", kind.name, type(error).__name__)


def _store_page(kind: IntakeKind, batches: list[IntakeBatch | None]) -> set[str | None]:
    failed: set[str | None] = set()
    for number, part in enumerate(_slices(kind, batches)):
        if number:
            failpoint("intake-between-slices")
            let_others_write()
        if not _try(kind, [one for _id, one in part]):
            failed |= {batch_id for batch_id, one in part if not _try(kind, [one])}
    return failed


def _slices(
    kind: IntakeKind, batches: list[IntakeBatch | None]
) -> Iterator[Sequence[tuple[str | None, IntakeBatch | None]]]:
    found = [one for one in batches if one is not None]
    slicer = _SLICERS.get(kind)
    if slicer is None:
        yield [(one.id if one else None, one) for one in batches]
        return
    yield from slicer(found)
    if len(found) < len(batches):
        yield [(None, one) for one in batches if one is None]


def _try(kind: IntakeKind, batches: Iterable[IntakeBatch | None]) -> bool:
    try:
        take(kind, batches, now=clock.now())
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("intake of %s: not stored, tried again", kind.name)
        return False
    return True


@transaction.atomic
def take(kind: IntakeKind, batches: Iterable[IntakeBatch | None], *, now: datetime) -> int:
    """Store those batches that nobody has stored yet; returns how many that were.

    None stands for one that cannot be read. Raises what storing raises, and IntegrityError where
    another worker is at the same batches; nothing is stored then.
    """
    found = list(batches)
    given = {batch.id: batch for batch in found if batch is not None}
    known = TakenBatch.objects.filter(batch_id__in=given).values_list("batch_id", flat=True)
    fresh = [given[one] for one in given.keys() - set(known)]
    TakenBatch.objects.bulk_create(TakenBatch(batch_id=one.id, taken_at=now) for one in fresh)
    losses = _store(kind, fresh, now) + Counter({LossCause.UNREADABLE: found.count(None)})
    lost = {"kind": kind.name, "minute": now.replace(second=0, microsecond=0)}
    rows = [{**lost, "cause": cause.value, "count": n} for cause, n in losses.items()]
    add_or_insert(IntakeLoss, rows, by=["minute", "kind", "cause"], adds=["count"])
    failpoint("intake-before-commit")
    return len(fresh)


def _store(kind: IntakeKind, batches: list[IntakeBatch], now: datetime) -> Counter[LossCause]:
    (decode, store), things, losses = _READERS[kind], list[Any](), Counter[LossCause]()
    oldest = now - timedelta(seconds=kind.kept_for_s) - LATER_BY
    for batch in batches:
        losses[LossCause.DROPPED] += batch.dropped
        if not oldest <= batch.began_at <= now + CLOCKS_DIFFER_BY:
            text = "intake of %s: a batch is of %s; do the clocks agree?"
            logger.warning(text, kind.name, batch.began_at)
            losses[LossCause.DROPPED] += batch.count
        elif batch.content is not None:
            try:
                things += list(decode(batch))
            except (ValueError, TypeError, KeyError, AttributeError):
                losses[LossCause.UNREADABLE] += 1
    losses[LossCause.GONE] += store(things, now) if things else 0
    return losses


def forget_old_batches(*, now: datetime) -> None:
    TakenBatch.objects.filter(taken_at__lt=now - TAKEN_KEPT_FOR).delete()
    IntakeLoss.objects.filter(minute__lt=now - LOSSES_KEPT_FOR).delete()


def _open_old(kind: IntakeKind, raw: bytes) -> IntakeBatch | None:
    try:
        told = orjson.loads(raw)
        place, names = told["environment"], ("asked", "missed")
        content = {name: [[place, *row] for row in told[name]] for name in names}
        return IntakeBatch(kind, told["minute"], float(told["last_at"]), content, id=told["id"])
    except (ValueError, TypeError, KeyError):
        return None
