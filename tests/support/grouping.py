"""Groups of releases, each of a service of its own that a flag routes."""

from datetime import timedelta
from typing import Any

from django.db.models import F, Q

from portal.access.models import Environment, User
from portal.audit.models import AuditEvent
from portal.lib import clock
from portal.lib.journal import Intent
from releases.core import runner, selectors
from releases.core.models import OVER, Release, ReleaseGroup
from releases.groups import commands, planning
from releases.telemetry.models import OutcomeBucket
from tests.support.people import SETTING_UP, acting
from tests.support.releasing import DIGEST, PLAN, routed_by_flag
from tests.support.remembering import remembered

KEYS = ("shop", "cart", "mail")


def a_member(place: Environment, key: str, **document: Any) -> dict[str, Any]:
    """A canary by PLAN of a service that nothing is counted of, unless the document says else."""
    routed_by_flag(place, key, checks=document.pop("checks", ()))
    return {
        "environment": place.key,
        "service": key,
        "artefact": {"version": "2.0", "digest": DIGEST},
        "strategy": "canary",
        "plan": PLAN,
        **document,
    }


def a_group(
    place: Environment, person: User, *documents: dict[str, Any], start: bool = True
) -> ReleaseGroup:
    members = list(documents) or [a_member(place, key) for key in KEYS]
    intent = Intent(acting(person), "one checkout")
    group = planning.plan_group(
        project=place.project, document={"name": "checkout", "members": members}, intent=intent
    )
    if start:
        commands.tell(group=group, name="start", intent=intent)
    return group


def an_aborted_group(environment: Environment) -> ReleaseGroup:
    """One that nobody has started, and nobody will: who waits for it need not wait."""
    documents = [a_member(environment, key) for key in KEYS[1:]]

    def make() -> int:
        by = Intent(SETTING_UP)
        document = {"name": "aborted", "members": documents}
        made = planning.plan_group(project=environment.project, document=document, intent=by)
        commands.tell(group=made, name="abort", intent=by)
        return made.pk

    pk = remembered(f"aborted group in {environment.pk}", make)
    return ReleaseGroup.objects.select_related("project").get(pk=pk)


def members(group: ReleaseGroup) -> list[Release]:
    """As they are now, in order."""
    rows = selectors.releases_seen(group.project).filter(group=group)
    return list(rows.order_by("position"))


def states(group: ReleaseGroup) -> list[str]:
    return [str(one.state) for one in members(group)]


def steps(group: ReleaseGroup) -> list[int]:
    return [one.step for one in members(group)]


def held_by(release: Release) -> list[str]:
    """What holds it for its group."""
    return [one["about"] for one in release.holds if one["cause"] == "group"]


def look(group: ReleaseGroup, times: int = 4) -> None:
    """Have each member that ever is looked at looked at, so often, in whatever order."""
    for _time in range(times):
        due = Release.objects.filter(group=group).exclude(due_at=None)
        is_ahead = Q(state="planned", not_before__gt=clock.database_now())
        due.exclude(is_ahead).update(due_at=clock.database_now(), retry_at=None, leased_until=None)
        runner.tick_due()
        runner.tick_hanging()


def pass_time(group: ReleaseGroup, seconds: float, *, only: int | None = None) -> None:
    """As if so much time had gone by, for all members or the one at a position."""
    by = timedelta(seconds=seconds)
    for one in members(group):
        if only is None or only == one.position:
            for name in ("entered_at", "started_at", "paused_at", "watch_until"):
                moment = getattr(one, name)
                setattr(one, name, moment and moment - by)
            one.save()
    OutcomeBucket.objects.update(start=F("start") - by)


def tell(group: ReleaseGroup, name: str, person: User, reason: str = "because") -> list[Any]:
    return commands.tell(group=group, name=name, intent=Intent(acting(person), reason))


def ended(group: ReleaseGroup) -> list[str]:
    """The titles of the members that are over, in the order in which they ended."""
    names = {str(one.pk): one.title for one in members(group)}
    events = [f"release.{one}" for one in OVER]
    rows = AuditEvent.objects.filter(
        subject_kind="release", subject__in=names, event__in=events
    ).order_by("sequence")
    return [names[row.subject] for row in rows]
