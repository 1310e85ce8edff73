from flags.models.configuration import FlagConfiguration
from flags.models.flag import Flag
from flags.models.group import ExclusionGroup
from flags.models.key_list import KeyList
from flags.models.segment import Segment

__all__ = ["ExclusionGroup", "Flag", "FlagConfiguration", "KeyList", "Segment"]
