"""Schedules and ramps: creating them, commands, steps. Everything goes through the gate."""

from flags.services.plans.commands import cancel_plan, pause_plan, resume_plan
from flags.services.plans.making import create_ramp, create_schedule
from flags.services.plans.runner import carry_out_due

__all__ = [
    "cancel_plan",
    "carry_out_due",
    "create_ramp",
    "create_schedule",
    "pause_plan",
    "resume_plan",
]
