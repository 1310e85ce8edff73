from flags.models.configuration import FlagConfiguration
from flags.models.flag import Flag
from flags.models.manners import Favourite, NamingRule, SavedView
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
    "Favourite",
    "Flag",
    "FlagConfiguration",
    "FlagSeen",
    "FlagUsage",
    "LifecycleNotice",
    "NamingRule",
    "Period",
    "Plan",
    "PlanKind",
    "PlanState",
    "SavedView",
    "TakenBatch",
    "UnknownFlag",
]
