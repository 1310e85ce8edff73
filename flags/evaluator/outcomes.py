"""Outcomes as they are counted, in memory: by version or variant, in buckets of ten seconds.

Memory goes with distinct versions and seconds, and not with outcomes. What one environment's keys
may make of it is bounded, and what all may: by names and by versions of each in a minute, by bytes,
and, for keys that anybody may hold, by outcomes in a minute.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import orjson

from flags.channel.intake import MINUTE_S
from flags.channel.telemetry import BucketKey, Counts, write_telemetry
from flags.evaluator.contents import ApiKey

# Of one service or flag, told in one minute.
MOST_VERSIONS: Final = 50
MOST_NAMES_OF: Final = {False: 5_000, True: 200}
# Versions of all together, told in one minute.
MOST_KNOWN: Final = 200_000
MOST_BYTES: Final = 64 * 2**20
# Of the server keys and of the client keys of one environment, as are the names.
MOST_BYTES_OF: Final = {False: 40 * 2**20, True: 2 * 2**20}
# Outcomes that one client key may tell of in a minute.
MOST_BY_CLIENT: Final = 10_000

FULL: Final = "this evaluator counts as much telemetry as it may hold: send it again in a minute"
NAMES: Final = "one minute has at most {} services and flags of an environment"
VERSIONS: Final = f"one minute has at most {MOST_VERSIONS} versions of a service or flag"
BY_CLIENT: Final = f"a client key tells of at most {MOST_BY_CLIENT} outcomes a minute"


@dataclass(slots=True)
class Outcomes:
    buckets: dict[BucketKey, Counts] = field(default_factory=dict)
    bytes_of: Counter[tuple[int, bool]] = field(default_factory=Counter)
    size: int = 0

    def is_full(self, environment_id: int, by_client: bool) -> bool:
        held = self.bytes_of[environment_id, by_client]
        return self.size >= MOST_BYTES or held >= MOST_BYTES_OF[by_client]

    def add(self, place: BucketKey, counts: Counts) -> None:
        old, before = self.buckets.get(place), 0
        if old is None:
            old = self.buckets[place] = Counts()
        else:
            before = old.weight
        old.merge(counts)
        grown = old.weight - before
        self.bytes_of[place[0], place[4]] += grown
        self.size += grown

    def merge(self, newer: "Outcomes") -> int:
        lost = 0
        for place, counts in newer.buckets.items():
            old = self.buckets.get(place)
            grows = old is None or not counts.durations.keys() <= old.durations.keys()
            grows = grows or not counts.histogram.keys() <= old.histogram.keys()  # type: ignore[union-attr]
            if grows and self.is_full(place[0], place[4]):
                lost += counts.requests
            else:
                self.add(place, counts)
        return lost

    def weigh(self) -> tuple[int, int]:
        return sum(one.requests for one in self.buckets.values()), self.size

    def close(self) -> "ClosedMinute":
        return ClosedMinute([(count, orjson.dumps(rows)) for count, rows in self.contents()])

    def contents(self) -> Iterator[tuple[int, object]]:
        return write_telemetry(self.buckets.items())


@dataclass(frozen=True, slots=True)
class ClosedMinute:
    """What was told in a minute that is over: as JSON it takes a tenth of the memory."""

    parts: list[tuple[int, bytes]]

    def weigh(self) -> tuple[int, int]:
        return sum(count for count, _part in self.parts), sum(len(part) for _n, part in self.parts)

    def merge(self, newer: object) -> int:
        raise AssertionError("that minute is over")

    def close(self) -> "ClosedMinute":
        return self

    def contents(self) -> Iterator[tuple[int, object]]:
        return ((count, orjson.Fragment(part)) for count, part in self.parts)


@dataclass(slots=True)
class Collector:
    outcomes: Outcomes = field(default_factory=Outcomes)
    minute: int = 0
    versions: dict[tuple[int, str, str, bool], set[str]] = field(default_factory=dict)
    names: Counter[tuple[int, bool]] = field(default_factory=Counter)
    known: int = 0
    told_by: Counter[str] = field(default_factory=Counter)
    # Since the process started, by what became of them: accepted, rejected, repeated.
    counted: Counter[str] = field(default_factory=Counter)

    def take(self) -> Outcomes:
        taken, self.outcomes = self.outcomes, Outcomes()
        return taken

    def turn(self, now: float) -> None:
        minute = int(now) // MINUTE_S
        if minute != self.minute:
            self.minute = minute
            self.known = 0
            self.versions.clear()
            self.names.clear()
            self.told_by.clear()

    def why_not(self, place: BucketKey) -> str:
        environment_id, about, name, version, by_client, _start = place
        if place in self.outcomes.buckets:
            return ""
        if self.outcomes.is_full(environment_id, by_client):
            return FULL
        return self.note((environment_id, about, name, by_client), version)

    def note(self, named: tuple[int, str, str, bool], version: str) -> str:
        versions, owner = self.versions.get(named, set()), (named[0], named[3])
        if version in versions:
            return ""
        if self.known >= MOST_KNOWN:
            return FULL
        if len(versions) >= MOST_VERSIONS:
            return VERSIONS
        if not versions:
            if self.names[owner] >= MOST_NAMES_OF[named[3]]:
                return NAMES.format(MOST_NAMES_OF[named[3]])
            self.names[owner] += 1
        self.known += 1
        self.versions.setdefault(named, versions).add(version)
        return ""

    def spend(self, key: ApiKey, count: int) -> str:
        """Why a key may not tell of so many more; empty where it may."""
        if key.decides:
            return ""
        if self.told_by[key.selector] + count > MOST_BY_CLIENT:
            return BY_CLIENT
        self.told_by[key.selector] += count
        return ""
