from flags.models.flag import Flag, FlagConfiguration
from flags.models.plan import Favourite, NamingRule, Plan, PlanKind, SavedView
from flags.models.segment import ExclusionGroup, KeyList, Segment
from flags.models.usage import (
    ContextSample,
    ContextSampling,
    FlagSeen,
    FlagUsage,
    IntakeLoss,
    LifecycleNotice,
    LossCause,
    Period,
    TakenBatch,
    UnknownFlag,
)

__all__ = [
    "ContextSample",
    "ContextSampling",
    "ExclusionGroup",
    "Favourite",
    "Flag",
    "FlagConfiguration",
    "FlagSeen",
    "FlagUsage",
    "IntakeLoss",
    "KeyList",
    "LifecycleNotice",
    "LossCause",
    "NamingRule",
    "Period",
    "Plan",
    "PlanKind",
    "SavedView",
    "Segment",
    "TakenBatch",
    "UnknownFlag",
]
