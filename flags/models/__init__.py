from flags.models.exclusion_group import ExclusionGroup
from flags.models.flag import Flag, FlagConfiguration
from flags.models.preferences import Favourite, NamingRule, SavedView
from flags.models.segment import KeyList, Segment
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
    "SavedView",
    "Segment",
    "TakenBatch",
    "UnknownFlag",
]
