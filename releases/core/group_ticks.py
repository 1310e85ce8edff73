"""What a tick does with a member of a group, beside what it does with every release."""

from datetime import datetime
from typing import Any

from portal.lib.journal import Intent
from releases.core import lockstep, starting, transitions
from releases.core.lockstep import WayBack
from releases.core.models import Release, ReleaseGroup, State
from releases.core.transitions import TICK, by_itself
from releases.engine.decisions import Cause


def begin(release: Release, at: datetime) -> None:
    """Start a planned one that is due, once its group may begin; abort it where that goes back.

    Raises what ``start_when_due`` raises.
    """
    if release.group is None or not _is_kept(release, release.group, at):
        release.holds = []
        starting.start_when_due(release, at)


def _is_kept(release: Release, group: ReleaseGroup, at: datetime) -> bool:
    """Whether its group keeps one from beginning, for now or for good."""
    if group.failed_at is not None:
        abort(release, by_itself(release, "", at))
        return True
    if release.not_before is not None and release.not_before > at:
        release.due_at = release.not_before  # another one of its group has had it looked at
        release.save()
        return True
    waits = lockstep.waits_to_begin(release, at)
    if waits:
        _wait(release, waits, at)
    return bool(waits)


def abort(release: Release, intent: Intent) -> None:
    """End one that has not begun, with its group."""
    assert release.group is not None
    release.because = dict(release.group.because)
    transitions.end(release, State.ABORTED, intent)


def take_back(release: Release, back: WayBack, intent: Intent) -> None:
    """Have one go back with its group, once it is its turn."""
    if back.waits:
        _wait(release, back.waits, intent.at)
        return
    because = dict(back.because)
    if because.get("to") == State.ABORTED and release.state == State.SUCCEEDED:
        because["to"] = str(State.ROLLED_BACK)  # what has succeeded is not aborted any more
    transitions.go_back(release, because, intent)


def _wait(release: Release, waits: str, at: datetime) -> None:
    release.holds = [transitions.stamped(release, _hold(waits), at)]
    release.due_at = at + TICK
    release.save()


def _hold(about: str) -> dict[str, Any]:
    return {"cause": str(Cause.GROUP), "about": about, "wanting": 0}
