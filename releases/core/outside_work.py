"""What is carried out outside of our database, asked between transactions, at every tick: routers
move traffic, deployers put artefacts in place."""

from typing import Any

from django.utils.translation import gettext as _

from portal.runs.failpoints import failpoint
from releases.core import outside_routers, rolling
from releases.core.models import Release
from releases.core.outside_routers import call_of, may_act, token_of
from releases.deployers import Order, Progress, webhook
from releases.engine.plans import Strategy
from releases.engine.steps import Work
from releases.routers import Told


def ask(release: Release) -> tuple[Told | None, dict[str, Any]]:
    """What whoever carries out the present step says of it, once it was told what to do where it is
    to act; and its state. None of a router that lies in our database."""
    if release.parsed_plan.strategy is Strategy.ROLLING:
        return rolling.ask(release)
    if release.present.is_routed or release.wanted["back"]:
        return outside_routers.ask(release)
    progress, state = _ask_deployer(release)
    return _told(release, progress), state


def _told(release: Release, progress: Progress) -> Told:
    """As a router would say it: of a step that moves no traffic, that is where it was."""
    return Told(
        release.wanted["share"],
        tuple(release.wanted["cohorts"]),
        away=progress.away,
        pending=not progress.is_done,
        failed=progress.failed,
        detail=progress.detail,
    )


def _ask_deployer(release: Release) -> tuple[Progress, dict[str, Any]]:
    if release.entered_at is not None or not release.deployer:
        return Progress(is_done=True), {}
    if release.is_by_hand:
        return Progress(detail=_("Waits for a person to confirm it.")), {}
    token = token_of(release)
    if not token and not may_act(release):
        return Progress(), {}
    failpoint("before-deployer")
    call = call_of(release, release.deployer["url"], release.execution, token)
    answer = webhook.ask(call, order_of(release), acts=may_act(release))
    failpoint("after-deployer")
    return answer


def order_of(release: Release) -> Order:
    """What the present step wants of the deployer."""
    assert release.artefact is not None
    if release.present.work is Work.RETIRE:
        old = release.stable.document if release.stable else None
        return Order("retire", release.place_of("stable"), artefact=old)
    return Order("deploy", release.place_of("new"), artefact=release.artefact.document)
