"""Schedules and ramps: making, steering and carrying out. Everything goes through the gate."""

from flags.services.plans.carrying import carry_out_due
from flags.services.plans.making import create_ramp, create_schedule
from flags.services.plans.steering import cancel_plan, pause_plan, resume_plan

__all__ = [
    "cancel_plan",
    "carry_out_due",
    "create_ramp",
    "create_schedule",
    "pause_plan",
    "resume_plan",
]
