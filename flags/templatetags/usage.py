"""What every page about a flag shows of its use, without each view having to look it up."""

from django import template

from flags.models import Flag
from flags.usage.reading import Trouble, over_budget
from flags.usage.standing import Seen, standings_of
from portal.lib import clock

register = template.Library()


@register.simple_tag
def flag_standing(flag: Flag) -> Seen:
    """Where a flag is in its life, and when it was last asked for."""
    return standings_of(flag.project, [flag], now=clock.now())[flag.pk]


@register.simple_tag
def flag_over_budget(flag: Flag) -> list[Trouble]:
    """Where the flag took too much work to evaluate within the last day."""
    return over_budget(flag, now=clock.now())
