from flags.models.configuration import FlagConfiguration
from flags.models.flag import Flag
from flags.models.group import ExclusionGroup
from flags.models.key_list import KeyList
from flags.models.manners import Favourite, NamingRule, SavedView
from flags.models.plan import Plan, PlanKind
from flags.models.sampling import ContextSample, ContextSampling
from flags.models.segment import Segment
from flags.models.usage import (
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
