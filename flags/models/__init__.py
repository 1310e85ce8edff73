from flags.models.configuration import FlagConfiguration
from flags.models.flag import Flag
from flags.models.plan import ALIVE, Plan, PlanKind, PlanState
from flags.models.usage import (
    FlagSeen,
    FlagUsage,
    LifecycleNotice,
    Period,
    TakenBatch,
    UnknownFlag,
)

__all__ = [
    "ALIVE",
    "Flag",
    "FlagConfiguration",
    "FlagSeen",
    "FlagUsage",
    "LifecycleNotice",
    "Period",
    "Plan",
    "PlanKind",
    "PlanState",
    "TakenBatch",
    "UnknownFlag",
]
