from collections.abc import Iterable
from datetime import datetime

from django.db.models import QuerySet

from portal.access.models import Environment, Project
from portal.approvals.freezing import in_force
from portal.approvals.models import FreezeWindow, InForce


def freezes_of(project: Project) -> QuerySet[FreezeWindow]:
    """The windows of a project that were planned and not cancelled, with their environments."""
    found = project.freezes.filter(cancelled_at=None, stops_line=False)
    return found.prefetch_related("environments")


def line_stopped_in(environment: Environment) -> FreezeWindow | None:
    """What stops the line in an environment; None where it moves."""
    return environment.freezes.filter(cancelled_at=None, stops_line=True).first()


def freezes_in_force(environments: Iterable[Environment], at: datetime) -> list[InForce]:
    """What freezes any of some environments at a moment, what lasts longest first. One query."""
    places = {environment.pk: environment for environment in environments}
    frozen: dict[FreezeWindow, list[Environment]] = {}
    pairs = FreezeWindow.environments.through.objects.filter(
        environment__in=places, freezewindow__cancelled_at=None
    )
    for pair in pairs.select_related("freezewindow").order_by("pk"):
        frozen.setdefault(pair.freezewindow, []).append(places[pair.environment_id])
    found = [
        InForce(freeze, occurrence, tuple(where))
        for freeze, where in frozen.items()
        if (occurrence := in_force(freeze.window, at))
    ]
    return sorted(found, key=lambda one: one.occurrence.ends, reverse=True)
