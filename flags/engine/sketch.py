"""A sketch of many durations that merges, and whose quantiles have a stated relative error.

The buckets of DDSketch (Masson, Rim, Lee: “DDSketch: a fast and fully-mergeable quantile sketch
with relative-error guarantees”, VLDB 2019): a value x > 0 falls into bucket ceil(log_g x) with
g = (1 + e) / (1 - e), and the bucket's middle 2·g^i / (g + 1) is at most a share e away from it.
Two sketches merge by adding their counts, in any order, and say the same as one of all values.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

RELATIVE_ERROR: Final = 0.01
_GAMMA: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA: Final = math.log(_GAMMA)
# A microsecond and some three years, in milliseconds: below is 0, above is that.
_LEAST, _MOST = 0.001, 1e11
ZERO: Final = -(10**6)


BUCKETS: Final = frozenset(
    {
        ZERO,
        *range(
            math.ceil(math.log(_LEAST) / _LOG_GAMMA), math.ceil(math.log(_MOST) / _LOG_GAMMA) + 1
        ),
    }
)


def bucket_of(value: float) -> int:
    """The bucket of a value in milliseconds, which is finite and not negative."""
    if value < _LEAST:
        return ZERO
    return math.ceil(math.log(min(value, _MOST)) / _LOG_GAMMA)


def value_of(bucket: int) -> float:
    """The middle of a bucket, in milliseconds: within RELATIVE_ERROR of every value in it."""
    return 0.0 if bucket == ZERO else 2 * math.exp(bucket * _LOG_GAMMA) / (_GAMMA + 1)


@dataclass(slots=True)
class Sketch:
    counts: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Iterable[float]) -> "Sketch":
        sketch = cls()
        for value in values:
            sketch.add(value)
        return sketch

    def add(self, value: float, count: int = 1) -> None:
        bucket = bucket_of(value)
        self.counts[bucket] = self.counts.get(bucket, 0) + count

    def merge(self, other: "Sketch") -> None:
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def quantile(self, share: float) -> float | None:
        """The value that ``share`` (0 to 1) of all are not above, in milliseconds; None of nothing.

        It is within RELATIVE_ERROR of the value at rank ceil(share·n), the first for 0.
        """
        rank = max(1, math.ceil(share * self.total - 1e-9))
        for bucket in sorted(self.counts):
            rank -= self.counts[bucket]
            if rank <= 0:
                return value_of(bucket)
        return None

    def dump(self) -> dict[str, int]:
        return {str(bucket): count for bucket, count in sorted(self.counts.items())}

    @classmethod
    def load(cls, document: Mapping[str, int]) -> "Sketch":
        """What dump gave. Raises ValueError for anything else."""
        counts = {int(bucket): count for bucket, count in document.items()}
        if any(type(count) is not int or count < 1 for count in counts.values()):
            raise ValueError("a count of a sketch is no positive whole number")
        return cls(counts)
