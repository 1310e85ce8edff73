"""What the evaluator counts about itself: plain integers, read by /metrics."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """Counted since the process started; never reset."""

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By (route, status)."""
    evaluations: Counter[str] = field(default_factory=Counter)
    """By reason; ERROR for every flag that could not be evaluated."""
    refused: Counter[str] = field(default_factory=Counter)
    """What Redis offered and the evaluator did not believe, by cause (see ``assemble.Cause``)."""
    reloads: int = 0
    entries: int = 0
    redis_failures: int = 0
    limited: int = 0
    """Requests beyond the rate of their key."""
    streams: int = 0
    """Event streams open now."""
    streams_cut: int = 0
    """Event streams whose reader took nothing any more."""
    events: int = 0
