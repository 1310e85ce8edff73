from flags.models.configuration import FlagConfiguration
from flags.models.flag import Flag
from flags.models.usage import (
    FlagSeen,
    FlagUsage,
    LifecycleNotice,
    Period,
    TakenBatch,
    UnknownFlag,
)

__all__ = [
    "Flag",
    "FlagConfiguration",
    "FlagSeen",
    "FlagUsage",
    "LifecycleNotice",
    "Period",
    "TakenBatch",
    "UnknownFlag",
]
