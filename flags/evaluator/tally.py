"""Counting what is asked for: by environment, flag, variant and reason, in memory.

An evaluation costs one increment of a dict; what it was asked with is never kept. The minute is
not looked up per evaluation: whoever takes the counts does so before a minute is over.
"""

import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from flags.channel import Asked, Missed, UsageBatch
from flags.channel.usage import MINUTE_S, ROWS_PER_BATCH
from flags.engine import limits

# Distinct names that do not exist, per environment and flush; all others are counted together.
MAX_MISSED_BY_SERVERS: Final = 1_000
# Anyone may hold a public key, and ask for whatever comes to mind.
MAX_MISSED_BY_CLIENTS: Final = 50
OTHERS: Final = ""

AskedCounts: TypeAlias = Counter[tuple[str, str | None, str]]
"""By flag, variant (None where there was no value) and reason."""


@dataclass(slots=True)
class EnvironmentTally:
    """What is asked of one environment, since it was last taken."""

    asked: AskedCounts = field(default_factory=Counter)
    missed_by_servers: Counter[str] = field(default_factory=Counter)
    missed_by_clients: Counter[str] = field(default_factory=Counter)

    def miss(self, name: str, *, is_client: bool) -> None:
        """Count a name that answered “not found”, or a hidden flag that a public key asked for."""
        names = self.missed_by_clients if is_client else self.missed_by_servers
        most = MAX_MISSED_BY_CLIENTS if is_client else MAX_MISSED_BY_SERVERS
        known = name in names or (_could_exist(name) and len(names) < most)
        names[name if known else OTHERS] += 1

    def rows(self) -> Iterator[Asked | Missed]:
        for (flag, variant, reason), count in self.asked.items():
            yield Asked(flag, variant or "", str(reason), count)
        for name, count in self.missed_by_servers.items():
            yield Missed(name, False, count)
        for name, count in self.missed_by_clients.items():
            yield Missed(name, True, count)


@dataclass(slots=True)
class Tally:
    """What is asked of every environment."""

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

    def take(self, *, minute: int, last_at: float) -> list[UsageBatch]:
        """Everything counted so far, as batches of that minute; counting starts anew."""
        places, self.places = self.places, {}
        return [
            batch
            for environment_id, place in places.items()
            for batch in _batches(environment_id, place, minute=minute, last_at=last_at)
        ]


def minute_of(moment: float) -> int:
    """The beginning of the minute that holds a moment, both in Unix seconds."""
    return int(moment) // MINUTE_S * MINUTE_S


def _batches(
    environment_id: int, place: EnvironmentTally, *, minute: int, last_at: float
) -> Iterator[UsageBatch]:
    rows = list(place.rows())
    for start in range(0, len(rows), ROWS_PER_BATCH):
        part = rows[start : start + ROWS_PER_BATCH]
        yield UsageBatch(
            id=uuid.uuid4().hex,
            environment_id=environment_id,
            minute=minute,
            last_at=last_at,
            asked=tuple(row for row in part if isinstance(row, Asked)),
            missed=tuple(row for row in part if isinstance(row, Missed)),
        )


def _could_exist(name: str) -> bool:
    return 0 < len(name) <= limits.MAX_KEY_CHARS and name.isprintable()
