"""Plans for a flag in one environment: schedules and ramps, as documents. Pure.

A *schedule* does one thing at an instant, once or again and again. A *ramp* raises a share in
steps. Both are read and checked here, and say what a configuration is to become and when; that it
does is the business of ``flags.services.plans``.
"""

from flags.plans.ramps import (
    OPERATIONS,
    Halted,
    Instant,
    Operation,
    RampStep,
    Timetable,
    following,
    share_of,
    steps_of,
    targeting_digest,
    timetable_of,
    with_share,
)
from flags.plans.reading import read_ramp, read_schedule, threshold_of

__all__ = [
    "OPERATIONS",
    "Halted",
    "Instant",
    "Operation",
    "RampStep",
    "Timetable",
    "following",
    "read_ramp",
    "read_schedule",
    "share_of",
    "steps_of",
    "targeting_digest",
    "threshold_of",
    "timetable_of",
    "with_share",
]
