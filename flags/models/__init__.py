from flags.models.configuration import FlagConfiguration
from flags.models.flag import Flag

__all__ = ["Flag", "FlagConfiguration"]
