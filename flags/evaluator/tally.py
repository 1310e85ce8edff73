"""Counting what is asked for: by environment, flag, variant and reason, in memory.

An evaluation costs one increment of a dict; what it was asked with is never kept. The minute is
not looked up per evaluation: the counts are taken before a minute is over.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeAlias

from flags.channel import EvaluationCount, Missed
from flags.channel.usage import ROWS_PER_BATCH, Row, write_usage
from flags.engine import limits

# Distinct names that do not exist, per environment and minute; all others are counted together.
MAX_MISSED_BY_SERVERS: Final = 1_000
# Anyone may hold a public key, and ask for whatever comes to mind.
MAX_MISSED_BY_CLIENTS: Final = 50
OTHERS: Final = ""
# What a count takes in memory, roughly.
ROW_BYTES: Final = 200

# By flag, variant (None where there was no value) and reason.
EvaluationCounts: TypeAlias = Counter[tuple[str, str | None, str]]


@dataclass(slots=True)
class EnvironmentTally:
    asked: EvaluationCounts = field(default_factory=Counter)
    missed_by_servers: Counter[str] = field(default_factory=Counter)
    missed_by_clients: Counter[str] = field(default_factory=Counter)

    def miss(self, name: str, *, is_client: bool, times: int = 1) -> None:
        names = self.missed_by_clients if is_client else self.missed_by_servers
        most = MAX_MISSED_BY_CLIENTS if is_client else MAX_MISSED_BY_SERVERS
        could_exist = 0 < len(name) <= limits.MAX_KEY_CHARS and name.isprintable()
        known = name in names or (could_exist and len(names) < most)
        names[name if known else OTHERS] += times

    def merge(self, newer: "EnvironmentTally") -> None:
        self.asked.update(newer.asked)
        for name, times in newer.missed_by_servers.items():
            self.miss(name, is_client=False, times=times)
        for name, times in newer.missed_by_clients.items():
            self.miss(name, is_client=True, times=times)

    def rows(self) -> Iterator[Row]:
        for (flag, variant, reason), count in self.asked.items():
            yield EvaluationCount(flag, variant or "", str(reason), count)
        for name, count in self.missed_by_servers.items():
            yield Missed(name, False, count)
        for name, count in self.missed_by_clients.items():
            yield Missed(name, True, count)


@dataclass(slots=True)
class Tally:
    places: dict[int, EnvironmentTally] = field(default_factory=dict)

    def of(self, environment_id: int) -> EnvironmentTally:
        place = self.places.get(environment_id)
        if place is None:
            place = self.places[environment_id] = EnvironmentTally()
        return place

    def by_reason(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for place in self.places.values():
            for (_flag, _variant, reason), count in place.asked.items():
                total[reason] += count
        return total

    def weigh(self) -> tuple[int, int]:
        places = self.places.values()
        counters: list[Counter[Any]] = [one.asked for one in places]
        counters += [one.missed_by_servers + one.missed_by_clients for one in places]
        rows = ROW_BYTES * sum(map(len, counters))
        return sum(sum(one.values()) for one in counters), rows

    def merge(self, newer: "Tally") -> None:
        for environment_id, place in newer.places.items():
            self.of(environment_id).merge(place)

    def close(self) -> "Tally":
        return self

    def contents(self) -> Iterator[tuple[int, object]]:
        rows = ((one, row) for one, place in self.places.items() for row in place.rows())
        while part := list(islice(rows, ROWS_PER_BATCH)):
            yield sum(row.count for _place, row in part), write_usage(part)
