"""What came of one version in some time."""

from dataclasses import dataclass, field

from flags.engine.histogram import Interval, add_intervals, quantile_between, slower_than
from flags.engine.sketch import Sketch


@dataclass(slots=True)
class Tally:
    """What came of one version; ``histogram`` has the durations of which only an interval is known
    (``flags.engine.histogram``)."""

    requests: int = 0
    errors: int = 0
    durations: Sketch = field(default_factory=Sketch)
    error_types: dict[str, int] = field(default_factory=dict)
    histogram: dict[str, int] = field(default_factory=dict)

    @property
    def timed(self) -> int:
        """Of how many requests it is known how long they took, if only roughly."""
        return self.durations.total + sum(self.histogram.values())

    def quantile(self, share: float) -> tuple[float, float] | None:
        """Between which two values it lies, in milliseconds; None of nothing."""
        return quantile_between(self.durations, self.histogram, share)

    def slower_than(self, limit: float) -> tuple[int, int]:
        """How many took longer than ``limit`` milliseconds: at least, and at most."""
        return slower_than(self.durations, self.histogram, limit)

    def merge(self, other: "Tally") -> None:
        self.requests += other.requests
        self.errors += other.errors
        self.durations.merge(other.durations)
        add_intervals(self.histogram, other.histogram)
        for kind, count in other.error_types.items():
            self.error_types[kind] = self.error_types.get(kind, 0) + count


def is_above(between: Interval, limit: float) -> bool | None:
    """Whether what lies above the first of two values, and not above the second, is above a limit;
    None where nobody can know. Where the two are the same, it is that value."""
    least, most = between
    if most <= limit:
        return False
    return True if least > limit or least == limit < most else None
