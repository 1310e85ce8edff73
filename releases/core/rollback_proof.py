"""The proof that a release can go back: at its first step it goes up, back and up again.

The time is that from the wish until the router says that everybody has the stable version again;
of a flag, until evaluators answer so. What is measured counts from when it is up for good.
"""

from datetime import datetime

from flags.delivery import progress
from portal.lib.journal import Intent
from releases.core import descriptions, starting, transitions
from releases.core.models import Release
from releases.routers import Told, Wanted

UP_AGAIN, BACK = "up_again", "back"
PATIENCE_S = 30
"""How long evaluators have to say that they are back; then it goes on without that."""


def is_live(release: Release) -> bool:
    """Whether evaluators answer as the router's flag says; True where that is no question.
    Waits a moment for it, so nothing may be locked."""
    if release.proof.get("phase") != BACK or release.router["kind"] != "flag":
        return True
    return progress.is_live({release.environment_id})


def prove(release: Release, told: Told, intent: Intent, *, live: bool) -> bool:
    """Take the next step of the proof, if there is one; returns whether this tick is done by it."""
    if not release.parsed_plan.proof_of_return or release.paused_at:
        return False
    if release.step != release.parsed_plan.first:
        return False
    phase = release.proof.get("phase")
    if phase is None and release.entered_at is not None:
        _go(release, Wanted(0, back=True), intent)
        release.proof = {"phase": BACK, "at": intent.at.isoformat()}
        transitions.record("proving", release, intent)
        transitions.route(release, intent)
        return True
    if phase == BACK and (told.share == 0 or told.is_off) and not told.cohorts:
        took_s = (intent.at - datetime.fromisoformat(release.proof["at"])).total_seconds()
        if not live and took_s < PATIENCE_S:
            return False
        starting.require_agreed(release, intent)
        release.proof = {"phase": UP_AGAIN, "took_s": round(took_s, 1) if live else None}
        _go(release, transitions.wanted_at(release, release.step, turns_on=True), intent)
        said = descriptions.proof_words(release)
        more = {"took_s": release.proof["took_s"]}
        transitions.record("proven", release, intent, words=(said,), more=more)
        transitions.route(release, intent)
        return True
    return False


def _go(release: Release, wanted: Wanted, intent: Intent) -> None:
    release.entered_at, release.checks = None, {}
    release.wanted, release.due_at = wanted.document, intent.at
    release.save()
