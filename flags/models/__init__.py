from flags.models.configuration import FlagConfiguration
from flags.models.flag import Flag
from flags.models.plan import ALIVE, Plan, PlanKind, PlanState

__all__ = ["ALIVE", "Flag", "FlagConfiguration", "Plan", "PlanKind", "PlanState"]
