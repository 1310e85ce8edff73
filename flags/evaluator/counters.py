"""What the evaluator counts about itself: plain integers, read by /metrics."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flags.evaluator.outcomes import Collector
from flags.evaluator.sampling import Samples
from flags.evaluator.tally import Tally
from flags.evaluator.users import Users

if TYPE_CHECKING:
    from flags.evaluator.intake import IntakeQueue


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
    telemetry: Collector = field(default_factory=Collector)
    """What became of what was served; taken like the tally."""
    users: Users = field(default_factory=Users)
    """Whom it was answered for."""
    intake: list["IntakeQueue"] = field(default_factory=list)
    """What waits to be sent up, and what was dropped, by kind."""
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

    def take_usage(self) -> Tally:
        """What was asked for since it was last taken."""
        self.evaluations += self.tally.by_reason()
        taken, self.tally = self.tally, Tally()
        return taken
