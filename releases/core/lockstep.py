"""The other members of a release's group: whom it waits for, and whom it takes back with it.

Rows are read as they are at this instant. A member that goes back writes that on its group in the
same transaction; all else follows from the rows at every tick, whoever was killed in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _, ngettext

from portal.approvals.models import State as RequestState
from portal.lib.journal import Intent
from releases.core.models import GOING_UP, MOVING, Release, ReleaseGroup, State
from releases.engine.decisions import Cause
from releases.engine.lockstep import Member, Standing, first_to_return
from releases.engine.steps import Work

_STANDINGS = {
    State.PLANNED: Standing.AHEAD,
    **dict.fromkeys(GOING_UP, Standing.MOVING),
    State.ROLLING_BACK: Standing.RETURNING,
    State.SUCCEEDED: Standing.LANDED,
}


def members_of(group: ReleaseGroup) -> list[Release]:
    """In order of their positions."""
    around = ("project", "environment", "service", "flag", "artefact", "stable")
    return list(group.members.select_related(*around).order_by("position"))


def member(release: Release, group: ReleaseGroup) -> Member:
    """A release as its group sees it. One whose place another release has taken stays there."""
    until, since = release.watch_until, group.failed_at
    is_watched = release.due_at is not None and until is not None
    return Member(
        release.position,
        _STANDINGS.get(State(release.state), Standing.RETURNED),
        release.finished,
        can_return=is_watched and (since is None or until > since),  # type: ignore[operator]
    )


def named(release: Release) -> str:
    text = _("release {number}, {title}")
    return text.format(number=release.pk, title=release.title)


def waits_to_begin(release: Release, at: datetime) -> str:
    """Why a member that is agreed to does not begin yet; empty where all are agreed to."""
    others = _others(release)
    return _waits_for([one for one in others if _keeps_from_beginning(one, at)], at)


def _keeps_from_beginning(other: Release, at: datetime) -> bool:
    is_later = other.not_before is not None and other.not_before > at
    return other.state == State.PLANNED and (other.due_at is None or is_later)


def lags_behind(release: Release, at: datetime) -> str:
    """Why a member may not leave its step; empty where all have finished it, and where its group
    goes back: then it is not this that keeps it."""
    group = release.group
    if group is None or group.failed_at is not None:
        return ""
    others = _others(release)
    return _waits_for([one for one in others if member(one, group).lags_behind(release.step)], at)


def _others(release: Release) -> list[Release]:
    assert release.group is not None
    return [one for one in members_of(release.group) if one.pk != release.pk]


def _waits_for(laggards: Sequence[Release], at: datetime) -> str:
    if not laggards:
        return ""
    said = _("Waits for {release}: {why}.").format(
        release=named(laggards[0]), why=_why_lags(laggards[0], at).removesuffix(".")
    )
    rest = len(laggards) - 1
    if not rest:
        return said
    more = ngettext("{n} other lags as well.", "{n} others lag as well.", rest)
    return f"{said} {more.format(n=rest)}"


def _why_lags(release: Release, at: datetime) -> str:
    if release.state == State.PLANNED:
        return _why_not_begun(release, at)
    if release.paused_at is not None:
        return _("it is paused")
    if release.state == State.WAITING:
        return _("it waits for people at step {n}").format(n=release.step + 1)
    if release.state == State.HELD:
        return _("it is held at step {n}").format(n=release.step + 1)
    return _("it has not finished step {n} yet").format(n=release.step + 1)


def _why_not_begun(release: Release, at: datetime) -> str:
    if release.due_at is None:
        asked = {"subject_kind": "release", "subject": str(release.pk)}
        is_asked = release.project.change_requests.filter(**asked, state=RequestState.OPEN)
        return _("it is not approved yet") if is_asked.exists() else _("nobody has started it")
    if release.not_before is not None and release.not_before > at:
        return _("it begins at {at:%Y-%m-%d %H:%M} UTC").format(at=release.not_before)
    return release.problem or _("it has not begun yet")


@dataclass(frozen=True, slots=True)
class WayBack:
    """That a member goes back with its group, and why; ``waits`` says for whom it does so first."""

    because: dict[str, Any]
    waits: str = ""


def way_back(release: Release) -> WayBack | None:
    """How a member goes back with its group; None where it does not, or does so already."""
    group = release.group
    if group is None or group.failed_at is None:
        return None
    me = member(release, group)
    may = me.standing is Standing.MOVING or (me.standing is Standing.LANDED and me.can_return)
    stops_the_old = release.is_moving and release.present.work is Work.RETIRE
    if not may or stops_the_old:  # what that would go back to is there again when it is done
        return None
    rows = {one.position: one for one in _others(release)}
    before = first_to_return(me, [member(one, group) for one in rows.values()])
    if not before:
        return WayBack(group.because)
    text = _("It goes back with its group, after {release}.")
    return WayBack(group.because, text.format(release=named(rows[before[0].position])))


def fail(release: Release, intent: Intent) -> None:
    """A member goes back, or has ended without success: so do the others, each at its tick."""
    if release.group_id is None:
        return
    because = {"cause": str(Cause.GROUP), "about": release.title, "to": str(State.ROLLED_BACK)}
    assert release.group is not None
    note_failure(release.group, release, because, intent)
    wake(release, intent.at)


def note_failure(
    group: ReleaseGroup, failed: Release | None, because: dict[str, Any], intent: Intent
) -> None:
    """Keep, once, that a group goes back and why; and say which of it stay."""
    mine = ReleaseGroup.objects.filter(pk=group.pk, failed_at=None)
    if not mine.update(failed=failed, failed_at=intent.at, because=because):
        return
    group.failed, group.failed_at, group.because = failed, intent.at, because
    stay = [one.title for one in members_of(group) if is_left(one, group)]
    after = {"name": group.name, "failed": failed.title if failed else "", "stay": stay}
    by_people = "aborted" if because["to"] == State.ABORTED else "rolled_back"
    event = "failed" if failed else by_people
    intent.record(f"release_group.{event}", group, after=after)


def is_left(release: Release, group: ReleaseGroup) -> bool:
    """Whether a member stays though its group goes back: its watch was over by then."""
    found = member(release, group)
    return found.standing is Standing.LANDED and not found.can_return


def wake(release: Release, at: datetime) -> None:
    """Have the others looked at next. Who is in somebody's hand at this instant is left out, for
    it looks by itself within seconds: so nobody waits for another's lock here."""
    others = Release.objects.filter(group=release.group_id).exclude(pk=release.pk)
    begun = Q(state__in=MOVING) | Q(state=State.SUCCEEDED, due_at__isnull=False)
    # One that nobody has started is to be aborted, and has no time of its own to be looked at.
    ahead = Q(state=State.PLANNED, due_at__isnull=False) | Q(
        state=State.PLANNED, group__failed_at__isnull=False
    )
    alive = others.filter(begun | ahead).order_by("pk")
    free = alive.select_for_update(of=("self",), no_key=True, skip_locked=True)
    numbers = list(free.values_list("pk", flat=True))
    Release.objects.filter(pk__in=numbers).update(due_at=at, retry_at=None)
