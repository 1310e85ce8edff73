from collections.abc import Sequence

from django.db.models import Prefetch, QuerySet

from portal.access.models import Environment, Project
from releases.core import lockstep
from releases.core.models import Release, ReleaseGroup, State


def groups_seen(project: Project, environment: Environment | None = None) -> QuerySet[ReleaseGroup]:
    """The groups of a project; of an environment, those of which no member stands elsewhere."""
    around = ("project", "environment", "service", "flag", "artefact", "stable", "group")
    members = Release.objects.select_related(*around).order_by("position")
    found = ReleaseGroup.objects.filter(project=project).select_related("project")
    found = found.prefetch_related(Prefetch("members", members))
    if environment is None:
        return found
    elsewhere = Release.objects.exclude(environment=environment).exclude(group=None)
    return found.exclude(pk__in=elsewhere.filter(project=project).values("group"))


def state_of(group: ReleaseGroup, members: Sequence[Release]) -> State:
    """Where a group is, as its members are."""
    if group.failed_at is not None:
        return _returned(group, members)
    states = {State(one.state) for one in members}
    for one in (State.PAUSED, State.HELD, State.WAITING):
        if one in states:
            return one
    if State.RUNNING in states:
        return State.RUNNING
    if states == {State.SUCCEEDED}:
        return State.SUCCEEDED
    if State.PLANNED not in states or State.SUCCEEDED in states:
        return State.RUNNING
    return State.WAITING if any(one.due_at for one in members) else State.PLANNED


def _returned(group: ReleaseGroup, members: Sequence[Release]) -> State:
    if not all(lockstep.member(one, group).is_settled for one in members):
        return State.ROLLING_BACK
    is_aborted = all(one.state in (State.ABORTED, State.SUCCEEDED) for one in members)
    return State.ABORTED if is_aborted else State.ROLLED_BACK


def left_of(group: ReleaseGroup, members: Sequence[Release]) -> list[str]:
    """The titles of the members that stay though the group goes back."""
    if group.failed_at is None:
        return []
    return [one.title for one in members if lockstep.is_left(one, group)]
