"""What plans are still to do: others ask before they change what a plan relies on."""

from collections.abc import Collection, Iterable

from flags.schedules.models import Plan
from portal.access.models import Project
from portal.lib.stored_json import naming


def flags_planned(project: Project) -> Iterable[tuple[str, int]]:
    """Keys of flags that a plan is still to change, each with the id of the environment."""
    plans = Plan.objects.alive().filter(flag__project=project)
    return plans.values_list("flag__key", "environment")


def places_planned(project: Project, keys: Collection[str]) -> Iterable[int]:
    """Ids of environments where a plan that is still to run holds one of these keys."""
    plans = Plan.objects.alive().filter(flag__project=project)
    return naming(plans, "document", keys).values_list("environment", flat=True)
