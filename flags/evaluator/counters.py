from collections import Counter
from dataclasses import dataclass, field

from flags.evaluator.exposures import ExposureCounter
from flags.evaluator.intake_queue import IntakeQueue
from flags.evaluator.outcomes import Collector
from flags.evaluator.points import PointCollector
from flags.evaluator.sampling import Samples
from flags.evaluator.tally import Tally
from flags.evaluator.users import UserCounter


@dataclass(slots=True)
class Counters:
    """Counted since the process started; never reset."""

    # By (route, status).
    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    # By reason, apart from what is still in the tally: an evaluation is counted there, once.
    evaluations: Counter[str] = field(default_factory=Counter)
    # What Redis offered and the evaluator did not believe, by ``assemble.RefusalCause``.
    refused: Counter[str] = field(default_factory=Counter)
    tally: Tally = field(default_factory=Tally)
    samples: Samples = field(default_factory=Samples)
    telemetry: Collector = field(default_factory=Collector)
    points: PointCollector = field(default_factory=PointCollector)
    users: UserCounter = field(default_factory=UserCounter)
    exposures: ExposureCounter = field(default_factory=ExposureCounter)
    intake: list[IntakeQueue] = field(default_factory=list)
    reloads: int = 0
    entries: int = 0
    redis_failures: int = 0
    copies_written: int = 0
    copies_failed: int = 0
    limited: int = 0
    streams: int = 0
    streams_cut: int = 0
    events: int = 0

    def all_evaluations(self) -> Counter[str]:
        return self.evaluations + self.tally.by_reason()

    def take_usage(self) -> Tally:
        self.evaluations += self.tally.by_reason()
        taken, self.tally = self.tally, Tally()
        return taken
