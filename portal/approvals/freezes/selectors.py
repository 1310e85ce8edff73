from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.access import authority
from portal.access.models import Environment, Project
from portal.access.permissions import Permission
from portal.approvals.changes import Change
from portal.approvals.freezes.descriptions import frozen_sentence
from portal.approvals.freezes.models import FreezeWindow, InForce
from portal.approvals.freezes.windows import in_force
from portal.lib import journal
from portal.lib.errors import AviaryError, Invalid
from portal.lib.journal import Entry, Intent


class Frozen(AviaryError):
    """Nothing was changed: it would be noticed where a freeze is in force."""

    status = 409

    def __init__(self, project: Project, frozen: Sequence[InForce]) -> None:
        self.project, self.frozen = project, frozen
        sentences = [frozen_sentence(one) for one in frozen]
        super().__init__(" ".join([*sentences, _("You can still turn flags off.")]))

    @property
    def extras(self) -> dict[str, Any]:
        return {
            "freezes": [
                {
                    "name": one.freeze.name,
                    "until": one.occurrence.ends.isoformat(),
                    "environments": [environment.key for environment in one.environments],
                    "address": freeze_address(self.project, one.freeze),
                }
                for one in self.frozen
            ]
        }


def freeze_address(project: Project, freeze: FreezeWindow) -> str:
    path = reverse("freeze-list", args=[project.key])
    return f"{settings.PORTAL_URL}{path}#freeze-{freeze.pk}"


def freezes_of(project: Project) -> QuerySet[FreezeWindow]:
    """The windows of a project that were planned and not cancelled, with their environments."""
    found = project.freezes.filter(cancelled_at=None, stops_line=False)
    return found.prefetch_related("environments")


def line_stopped_in(environment: Environment) -> FreezeWindow | None:
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


def freezes_stopping(change: Change, at: datetime) -> list[InForce]:
    """What freezes a change: nothing where it only turns off, or nobody can notice it."""
    if change.turns_off or not change.serves:
        return []
    return freezes_in_force(change.environments, at)


def outside(frozen: Iterable[InForce], environments: Iterable[Environment]) -> list[InForce]:
    known = {environment.pk for environment in environments}
    left = [
        one
        if one.freeze.stops_line  # no glass is broken for that: it is lifted
        else replace(one, environments=[o for o in one.environments if o.pk not in known])
        for one in frozen
    ]
    return [one for one in left if one.environments]


def pass_freezes(change: Change, frozen: Sequence[InForce], intent: Intent) -> None:
    """Go on where nothing is frozen, or a person who may overrides it and says why.

    Raises Frozen, where the line is stopped in any case; for who wants to override, Forbidden
    without ``freeze.override`` in each frozen environment, Invalid without a reason. Keys and the
    product itself never override.
    """
    if not frozen:
        return
    if any(one.freeze.stops_line for one in frozen):
        raise Frozen(change.project, frozen)
    if not intent.options.override_freeze or authority.user_of(intent.actor) is None:
        raise Frozen(change.project, frozen)
    for environment in {place.pk: place for one in frozen for place in one.environments}.values():
        authority.require(
            intent.actor,
            Permission.FREEZE_OVERRIDE,
            project=change.project,
            environment=environment,
        )
    if not intent.reason.strip():
        raise Invalid({"reason": _("Say why this cannot wait until the freeze is over.")})
    journal.write_all(_overridden(change, one, intent) for one in frozen)


def _overridden(change: Change, frozen: InForce, intent: Intent) -> Entry:
    return intent.entry(
        "freeze.overridden",
        frozen.freeze.recorded_in(frozen.environments),
        after={
            "freeze": frozen.freeze.name,
            "until": frozen.occurrence.ends.isoformat(),
            "subject": f"{change.subject_kind} {change.subject}",
            "title": change.title,
            "change": list(change.words),
        },
    )
