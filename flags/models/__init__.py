from flags.models.configuration import FlagConfiguration
from flags.models.flag import Flag
from flags.models.manners import Favourite, NamingRule, SavedView

__all__ = ["Favourite", "Flag", "FlagConfiguration", "NamingRule", "SavedView"]
