"""What the evaluator counts about itself: plain integers, read by /metrics."""

from collections import Counter
from dataclasses import dataclass, field

from flags.channel import UsageBatch
from flags.evaluator.sampling import Samples
from flags.evaluator.tally import Tally


@dataclass(slots=True)
class Counters:
    """Counted since the process started; never reset."""

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By (route, status)."""
    evaluations: Counter[str] = field(default_factory=Counter)
    """By reason, apart from what is still in the tally: an evaluation is counted there, once."""
    refused: Counter[str] = field(default_factory=Counter)
    """What Redis offered and the evaluator did not believe, by cause (see ``assemble.Cause``)."""
    tally: Tally = field(default_factory=Tally)
    """What is asked for; taken and told to the portal now and then."""
    samples: Samples = field(default_factory=Samples)
    """What was asked with, where a project wants that; taken like the tally."""
    usage_lost: int = 0
    """Evaluations that nobody will be told of: Redis was away for too long."""
    reloads: int = 0
    entries: int = 0
    redis_failures: int = 0
    copies_written: int = 0
    copies_failed: int = 0
    """Times that a copy could not be written to disk, read from it, or believed."""
    limited: int = 0
    """Requests beyond the rate of their key."""
    streams: int = 0
    """Event streams open now."""
    streams_cut: int = 0
    """Event streams whose reader took nothing any more."""
    events: int = 0

    def all_evaluations(self) -> Counter[str]:
        """By reason; ERROR for every flag that could not be evaluated."""
        return self.evaluations + self.tally.by_reason()

    def take_usage(self, *, minute: int, last_at: float) -> list[UsageBatch]:
        """What was asked for since it was last taken."""
        self.evaluations += self.tally.by_reason()
        return self.tally.take(minute=minute, last_at=last_at)
