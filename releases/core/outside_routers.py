"""Routers that lie outside of our database: asked between transactions, at every tick."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from portal.approvals.freezes.selectors import freezes_in_force
from portal.lib import clock
from portal.lib.outbound import OutboundError
from portal.runs.failpoints import failpoint
from portal.runs.runner import Runner
from releases.core import transitions
from releases.core.models import Release, Termination
from releases.engine.plans import InFreeze, Strategy
from releases.routers import Told, Wanted, haproxy, webhook

# So often in a row a router outside may lose what it was told; what stays so long ends the row.
MOST_STRAYS = 3
STAYS = timedelta(minutes=1)


def ask(release: Release) -> tuple[Told | None, dict[str, Any]]:
    """What the router says, once it was told what is wanted where it is to act; and its state.

    None of one that lies in our database.
    """
    kind = release.router["kind"]
    if kind == "webhook":
        return _ask_webhook(release)
    if kind == "haproxy":
        return _ask_haproxy(release)
    if kind == "manual":
        return _confirmed(release), {}
    return None, {}


def _ask_webhook(release: Release) -> tuple[Told, dict[str, Any]]:
    call = call_of(release, release.router["url"], release.execution, token_of(release))
    failpoint("before-router")
    answer = webhook.ask(call, Wanted.of(release.wanted), acts=may_act(release))
    failpoint("after-router")
    return answer


def token_of(release: Release) -> dict[str, Any]:
    """What the other side wants to be given back, of the present attempt."""
    mine = release.executions.filter(step=release.step, attempt=release.attempt)
    return mine.values_list("token", flat=True).first() or {}


def _ask_haproxy(release: Release) -> tuple[Told, dict[str, Any]]:
    router, wanted = release.router, Wanted.of(release.wanted)
    if release.before is None:
        return haproxy.look_first(router, wanted)
    failpoint("before-router")
    acts, state = may_act(release), token_of(release)
    answer = haproxy.ask(router, wanted, acts=acts, state=state, before=release.before)
    failpoint("after-router")
    return answer


def take_over(release: Release) -> None:
    """Keep what the release that this one supersedes has kept of what was before it; the caller
    saves it."""
    other = release.supersedes
    if other and other.before and haproxy.is_same_route(other.router, release.router):
        release.before = other.before


def note_before(release: Release, told: Told, token: Mapping[str, Any]) -> bool:
    """Keep what haproxy says before it is told anything, in a transaction of its own: else a crash
    would have us take for that what we told it. Returns whether that is what this tick did."""
    if "first" not in token or told.away or is_moved(release, told):
        return False
    others = Release.objects.filter(service=release.service_id, environment=release.environment_id)
    others = others.exclude(pk=release.pk).filter(router__kind="haproxy").exclude(before=None)
    last = others.order_by("-started_at", "-pk").first()
    is_same = last is not None and haproxy.is_same_route(last.router, release.router)
    release.before = haproxy.before_of(token["first"], last.before if last and is_same else None)
    release.due_at = clock.database_now()
    release.save()
    return True


def is_moved(release: Release, told: Told) -> bool:
    """Whether haproxy sends people elsewhere than to the stable version before the first step."""
    first = release.router["kind"] == "haproxy" and release.before is None
    first = first and release.parsed_plan.strategy is not Strategy.ROLLING
    return first and not told.away and (told.share != 0 or bool(told.cohorts))


def call_of(release: Release, url: str, execution: str, state: dict[str, Any]) -> webhook.Call:
    """A call about a release to its router or its deployer: one secret signs for both."""
    about = {
        "release": str(release.pk),
        "project": release.project.key,
        "service": release.about.key,
        "environment": release.environment.key,
        "version": release.version,
        "stable": release.stable.version if release.stable else "",
    }
    secret = webhook.secret_for(about["project"], about["service"], about["environment"])
    return webhook.Call(url, secret, execution, release.fence, about, state)


def may_act(release: Release) -> bool:
    """Whether the router is to act: not to raise a share where that is frozen, or the line
    stopped, since it was asked. What was there once may be set again."""
    if not release.wanted.get("asked"):
        return False
    if release.wanted["back"] or release.entered_at is not None:
        return True
    finishes = release.overrides_freeze or release.parsed_plan.in_freeze is InFreeze.FINISH
    frozen = freezes_in_force([release.environment], clock.database_now())
    return not any(one.freeze.stops_line or not finishes for one in frozen)


def note_strayed(release: Release, told: Told, at: datetime) -> None:
    """Count how often in a row a router that had what is wanted says something else. The caller
    saves it."""
    if release.carrier.get("kind") != "webhook" or release.entered_at is None or told.away:
        return
    if told.is_as(Wanted.of(release.wanted)):
        return
    last = release.wanted.get("strayed") or {"times": 0}
    if last["times"] and at - datetime.fromisoformat(last["at"]) > STAYS:
        last = {"times": 0}
    is_known = last["times"] == MOST_STRAYS
    said = {"times": last["times"] + 1, "share": told.share}
    release.wanted["strayed"] = {**(last if is_known else said), "at": at.isoformat()}


def strays(release: Release, at: datetime) -> Mapping[str, Any] | None:
    """What a router says that has not kept what it is told; None of one that does."""
    last = release.wanted.get("strayed")
    if not last or last["times"] < MOST_STRAYS:
        return None
    return last if at - datetime.fromisoformat(last["at"]) <= STAYS else None


def _confirmed(release: Release) -> Told:
    last = release.told
    return Told(last.get("share", 0), tuple(last.get("cohorts", ())))


class TerminationRunner(Runner[Termination]):
    """Tells routers to end what nobody waits for any more; no release waits for that."""

    def due(self, at: datetime) -> QuerySet[Termination]:
        return Termination.objects.all()

    def call(self, work: Termination) -> None:
        webhook.terminate(call_of(work.release, work.url, work.execution, work.state))

    def carry_out(self, work: Termination, at: datetime, answer: object) -> None:
        work.delete()

    def stop(self, work: Termination, why: str, at: datetime, cause: Exception) -> None:
        intent = transitions.by_itself(work.release, "", at)
        more = {"execution": work.execution}
        transitions.record("not_terminated", work.release, intent, words=(why,), more=more)
        work.delete()

    def explain(self, work: Termination, error: Exception) -> str:
        return str(error) if isinstance(error, OutboundError) else super().explain(work, error)


def terminate_due() -> int:
    """Tell routers what they are to end; returns how many such there were."""
    return TerminationRunner().look()
