"""Outcomes that evaluators were told: counts of versions and variants, in buckets of ten seconds.

Durations travel as the buckets of ``engine.sketch``: how many milliseconds, to a stated error.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, Final, NamedTuple, TypeAlias
from zlib import crc32

import orjson

from flags.channel.intake import IntakeBatch
from flags.engine import limits
from flags.engine.histogram import MOST_INTERVALS, add_intervals, read_interval
from flags.engine.sketch import BUCKETS

SERVICE, FLAG = "service", "flag"
# Outcomes of a flag, too, but of those whom a release serves whatever its share: kept apart.
COHORTS, TESTERS = "cohorts", "testers"
OF_FLAGS: Final = (FLAG, COHORTS, TESTERS)
# Outcomes of a service, of requests that were made to try a version: kept apart too.
SYNTHETIC = "synthetic"
OF_SERVICES: Final = (SERVICE, SYNTHETIC)
WIDTH_S: Final = 10
# How old an outcome may be when it is told, and how far ahead of the evaluator's clock.
LATE_BY_S: Final = 15 * 60
AHEAD_BY_S: Final = 60
MAX_NAME_CHARS: Final = limits.MAX_KEY_CHARS
MAX_VERSION_CHARS: Final = 100
MAX_ERROR_TYPE_CHARS: Final = 100
# Of one bucket; all others count together.
MAX_ERROR_TYPES: Final = 20
OTHERS: Final = "other"
MAX_VALUE: Final = 1e15
# Buckets of a slice, about: storing them holds the database for less than a tenth of a second.
ROWS_AT_ONCE: Final = 120
# How many fields of a row say what it is about, and which bucket it is.
_ABOUT: Final = 3
_PLACE: Final = 6
_BATCH_BYTES: Final = 512 * 1024
_MOST_COUNT: Final = 2**50
_NO_TEXT: Final = re.compile("[\0-\x1f\x7f]")

# Environment, about (one of OF_SERVICES, or of OF_FLAGS), its key, the version or variant, whether
# a client key told it, and when its ten seconds begin, in Unix seconds.
BucketKey: TypeAlias = tuple[int, str, str, str, bool, int]


@dataclass(slots=True)
class Counts:
    """What ten seconds held. ``durations`` is a sketch's counts, of milliseconds, and ``histogram``
    has those of which only the interval is known."""

    requests: int = 0
    errors: int = 0
    values: int = 0
    value_sum: float = 0.0
    durations: dict[int, int] = field(default_factory=dict)
    error_types: dict[str, int] = field(default_factory=dict)
    histogram: dict[str, int] = field(default_factory=dict)

    def merge(self, other: "Counts") -> None:
        self.requests += other.requests
        self.errors += other.errors
        self.values += other.values
        self.value_sum += other.value_sum
        durations = self.durations
        for bucket, count in other.durations.items():
            durations[bucket] = durations.get(bucket, 0) + count
        add_intervals(self.histogram, other.histogram)
        for kind, count in other.error_types.items():
            self.fail(kind, count)
        if self.requests > _MOST_COUNT:
            self._stop_counting()

    def _stop_counting(self) -> None:
        """No count goes beyond what can be told and stored: whoever sends such numbers makes their
        own useless, and nobody else's. Each of them is at most the number of requests."""
        most = _MOST_COUNT
        self.requests, self.errors = most, min(self.errors, most)
        self.values = min(self.values, most)
        counted: tuple[dict[Any, int], ...] = (self.durations, self.histogram, self.error_types)
        for counts in counted:
            counts.update({key: min(count, most) for key, count in counts.items()})

    def fail(self, kind: str, count: int) -> None:
        types = self.error_types
        if kind not in types and len(types) >= MAX_ERROR_TYPES:
            kind = OTHERS
        types[kind] = types.get(kind, 0) + count

    @property
    def weight(self) -> int:
        durations = 40 * len(self.durations) + 60 * len(self.histogram)
        return 500 + durations + 150 * len(self.error_types)


class ToldCounts(NamedTuple):
    place: BucketKey
    counts: Counts


def write_telemetry(
    buckets: Iterable[tuple[BucketKey, Counts]],
) -> Iterator[tuple[int, list[list[Any]]]]:
    rows, size, outcomes = list[list[Any]](), 0, 0
    for place, counts in buckets:
        rows.append([*place, *_numbers(counts)])
        size += counts.weight
        outcomes += counts.requests
        if size > _BATCH_BYTES:
            yield outcomes, rows
            rows, size, outcomes = [], 0, 0
    if rows:
        yield outcomes, rows


def _numbers(counts: Counts) -> tuple[Any, ...]:
    durations = [number for pair in counts.durations.items() for number in pair]
    plain = (counts.requests, counts.errors, counts.values, counts.value_sum)
    told = (*plain, counts.error_types, durations)
    return (*told, counts.histogram) if counts.histogram else told


def in_slices(batches: Iterable[IntakeBatch]) -> Iterator[list[tuple[str, IntakeBatch]]]:
    """What may be stored at once: parts of batches, each with the id of its own.

    A batch falls into the same parts whenever it comes, so that each part can be stored once; and
    what several evaluators were told of the same versions and seconds falls into the same slice.
    """
    together: dict[str, list[tuple[str, IntakeBatch]]] = {}
    for batch in batches:
        for label, part in _parts_of(batch):
            together.setdefault(label, []).append((batch.id, part))
    for parts in together.values():
        yield from _bounded(parts)


def _parts_of(batch: IntakeBatch) -> Iterator[tuple[str, IntakeBatch]]:
    rows = batch.content
    is_small = not isinstance(rows, list) or len(rows) <= ROWS_AT_ONCE
    if is_small or not all(isinstance(row, list) for row in rows):
        yield "", batch
        return
    number = 2 ** math.ceil(math.log2(len(rows) / ROWS_AT_ONCE))
    parts: dict[int, list[Any]] = {}
    for row in rows:
        parts.setdefault(crc32(orjson.dumps(row[:_ABOUT])) % number, []).append(row)
    count, dropped = batch.count, batch.dropped
    for place, found in sorted(parts.items()):
        label = f"{place}/{number}"
        own = blake2b(f"{batch.id} {label}".encode(), digest_size=16).hexdigest()
        yield label, replace(batch, id=own, content=found, count=count, dropped=dropped)
        count = dropped = 0  # said once


def _bounded(
    parts: Iterable[tuple[str, IntakeBatch]],
) -> Iterator[list[tuple[str, IntakeBatch]]]:
    found: list[tuple[str, IntakeBatch]] = []
    places: set[bytes] = set()
    for batch_id, part in parts:
        more = {orjson.dumps(row[:_PLACE]) for row in part.content or () if isinstance(row, list)}
        if found and len(places | more) > ROWS_AT_ONCE * 3 // 2:
            yield found
            found, places = [], set()
        found.append((batch_id, part))
        places |= more
    if found:
        yield found


def read_telemetry(batch: IntakeBatch) -> Iterator[ToldCounts]:
    """Raises ValueError or TypeError for what no evaluator writes."""
    for environment_id, about, name, version, by_client, start, *numbers in batch.content:
        if about not in (*OF_SERVICES, *OF_FLAGS) or type(by_client) is not bool:
            raise ValueError("no bucket")
        _check_start(start, batch.minute)
        names = read_text(name, MAX_NAME_CHARS), read_text(version, MAX_VERSION_CHARS)
        place = (read_whole(environment_id), about, *names, by_client, start)
        yield ToldCounts(place, _read_counts(*numbers))


def _check_start(start: object, minute: int) -> None:
    if type(start) is not int or start % WIDTH_S:
        raise ValueError("no start")
    if not minute - LATE_BY_S - WIDTH_S <= start <= minute + 2 * AHEAD_BY_S:
        raise ValueError("a bucket of another time")


def _read_counts(
    requests: int,
    errors: int,
    values: int,
    value_sum: float,
    error_types: Mapping[str, int],
    durations: list[int],
    histogram: Mapping[str, int] | None = None,
) -> Counts:
    counts = Counts(read_whole(requests), read_whole(errors), read_whole(values), float(value_sum))
    if counts.errors > counts.requests or not math.isfinite(counts.value_sum):
        raise ValueError("no counts")
    if len(error_types) > MAX_ERROR_TYPES + 1:
        raise ValueError("too many types of errors")
    for kind, count in error_types.items():
        counts.error_types[read_text(kind, MAX_ERROR_TYPE_CHARS)] = read_whole(count)
    for bucket, count in zip(durations[::2], durations[1::2], strict=True):
        if type(bucket) is not int or bucket not in BUCKETS:
            raise ValueError("no duration")
        counts.durations[bucket] = read_whole(count)
    for interval, count in (histogram or {}).items():
        read_interval(interval)
        counts.histogram[interval] = read_whole(count)
    if len(counts.histogram) > MOST_INTERVALS + 1:
        raise ValueError("too many intervals")
    return counts


def read_text(value: object, most: int) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= most or _NO_TEXT.search(value):
        raise ValueError("no text")
    return value


def read_whole(value: int) -> int:
    if type(value) is not int or not 0 <= value <= _MOST_COUNT:
        raise ValueError("no number")
    return value


# KEYS[1] the batches of one API key that were counted, by when; ARGV the batch, for how many
# seconds one is remembered, and how many are. Returns whether it is new.
NOTE_SCRIPT: Final = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
if redis.call('ZADD', KEYS[1], 'NX', now, ARGV[1]) == 0 then return 0 end
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""
