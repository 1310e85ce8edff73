"""What every page about a flag shows of its use, without each view having to look it up."""

from django import template
from django.utils.translation import ngettext

from flags.models import Flag
from flags.usage.reading import over_budget
from flags.usage.stages import FlagStage, stages_of
from portal.lib import clock

register = template.Library()


@register.simple_tag
def flag_stage(flag: Flag) -> FlagStage:
    """Where a flag is in its life, and when it was last asked for."""
    return stages_of(flag.project, [flag], now=clock.now())[flag.pk]


@register.simple_tag
def flag_over_budget(flag: Flag) -> list[str]:
    """Where the flag took too much work to evaluate within the last day, in sentences."""
    return [
        ngettext(
            "In {environment} evaluating it took too much work once in the last day:"
            " the application got an error.",
            "In {environment} evaluating it took too much work {n} times in the last day:"
            " applications got errors.",
            one.count,
        ).format(environment=one.environment, n=one.count)
        for one in over_budget(flag, now=clock.now())
    ]
