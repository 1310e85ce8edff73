"""Taking away the rules of a flag that pin visits, once their time is over."""

from portal.approvals.freezes.selectors import freezes_in_force
from portal.lib.journal import Intent
from releases.core import transitions
from releases.core.models import Release
from releases.routers import Told, Wanted


def end_due(release: Release, told: Told, intent: Intent) -> bool:
    """Take away the rules whose time is over; returns whether there were any.

    That gives the new version to more, so it waits while anything is frozen; and it waits while
    others have moved the flag, which is theirs to settle first.
    """
    if not told.pins or intent.at.timestamp() < told.pins[0]:
        return False
    if not told.is_as(Wanted.of(release.wanted)):
        return False
    if freezes_in_force([release.environment], intent.at):
        return False
    transitions.note_told(release, transitions.move_flag(release, intent), intent)
    return True
