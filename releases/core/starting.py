"""Starting releases: what passes the gate, and what has to make way."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from flags.models import FlagConfiguration
from flags.schedules.models import Plan, PlanKind
from portal.access.models import Environment, Project
from portal.approvals import gate
from portal.approvals.authors import answer_for, require_still
from portal.approvals.errors import ApprovalRequired, Barred, Waiting
from portal.approvals.freezes.selectors import freezes_stopping
from portal.approvals.models import ChangeRequest
from portal.approvals.services import gated
from portal.lib.errors import Conflict, Invalid
from portal.lib.journal import Intent, Step, WriteOptions
from releases.core import lockstep, outside_routers, pins, selectors, transitions
from releases.core.changes import start_change
from releases.core.command_rules import lock_for, lock_release
from releases.core.models import MOVING, Release, State
from releases.core.planning import plan_release, refuse_to_scripts
from releases.core.routes import has_turned, ruling_of
from releases.core.transitions import artefact_of
from releases.engine.steps import Work
from releases.policies import demands
from releases.routers import flag as flag_router


def start(*, release: Release, intent: Intent, supersede: bool | int = False) -> Release:
    """Start a release, or agree that it starts by itself: at its ``not_before``, and one of a group
    once all of that are agreed to.

    ``supersede`` ends what moves there now; or, by its number, the release that was agreed to end,
    and no other.

    Raises Waiting where a policy wants others to agree, Frozen in a freeze that is not overridden,
    Conflict where something else moves the same, the router is no longer as it was planned for,
    release policies want more by now than its plan has, or a script starts what people have taken
    back there.
    """
    return _start(release, intent, supersede)


@gated
def _start(release: Release, intent: Intent, supersede: bool | int) -> Release:
    locked = lock_for(release, "start", intent)
    if supersede is True:
        locked.supersedes = _others(locked).filter(state__in=MOVING).first()
    else:
        locked.supersedes_id = supersede or None
    _require_policies(locked)
    refuse_to_scripts(locked, intent.actor.kind)
    is_later = locked.not_before is not None and locked.not_before > intent.at
    starts_itself = is_later or locked.group_id is not None
    if not starts_itself:
        _take_place(locked, intent)
    change = start_change(locked, intent)
    result = gate.check(change, intent)
    answer_for(locked, intent.actor, intent.options.agreement)
    locked.approved_by = list(result.intent.agreed.approved_by)
    # The gate has asked whether they may where something is frozen, and nowhere else.
    is_frozen = bool(freezes_stopping(change, intent.at))
    locked.overrides_freeze = intent.options.override_freeze and is_frozen
    if starts_itself:
        at = locked.not_before if is_later and locked.not_before else intent.at
        _start_by_itself(locked, at, result.intent)
        return locked
    begin(locked, result.intent)
    return locked


def _start_by_itself(release: Release, at: datetime, intent: Intent) -> None:
    release.due_at = at
    release.save()
    event = "scheduled" if at > intent.at else "ready"
    transitions.record(event, release, intent, more={"at": at.isoformat()})
    if release.group_id:
        lockstep.wake(release, intent.at)


@gated
def start_when_due(release: Release, at: datetime) -> None:
    """Start a locked release at its ``not_before``, if that is agreed to and possible by now.

    Raises what ``start`` raises, and Barred where its author may no longer want it.
    """
    _require_policies(release)
    refuse_to_scripts(release, release.author_kind)
    intent = transitions.by_itself(release, release.reason, at)
    _take_place(release, intent)
    _ask_again(release, intent)
    begin(release, intent)


def _require_policies(release: Release) -> None:
    """What policies want by now, for nobody goes round one by planning early. What moves already
    stays as it was agreed to."""
    plan = release.parsed_plan
    ruling = ruling_of(release)
    template = demands.template_used(
        release.project, release.template, plan, ruling, release.origins
    )
    owed = list(demands.unmet(plan, template, ruling, goes_back=release.goes_back).values())
    if owed:
        raise Conflict(_("{why} Plan it again.").format(why=owed[0]), current={}, yours={})


def require_agreed(release: Release, intent: Intent) -> None:
    """That a release may still go on: asked before each step, whatever routes.

    Raises Invalid where its author may no longer want it, or those who agreed to it no longer
    could; Frozen in a freeze that its plan does not go on in.
    """
    try:
        _ask_again(release, intent)
    except Barred as error:
        text = _("{why} Roll it back, or release it anew.")
        raise Invalid({"": text.format(why=error)}) from None
    except ApprovalRequired:
        text = _("This needs approval again. Promote it to request approval.")
        raise Invalid({"": text}) from None


def require_going_on(release: Release, intent: Intent) -> ChangeRequest | None:
    """As require_agreed; of one that people have let pass its gate, what they agreed to by then.
    Returns the request for that, if there was one."""
    passed = release.wanted.get("passed", {}).get("promotion")
    if passed is None:
        require_agreed(release, intent)
        return None
    needed, places = selectors.needed(release), [release.environment]
    require_still(release.author_actor, needed, project=release.project, places=places)
    return release.project.change_requests.get(pk=passed)


def _ask_again(release: Release, intent: Intent) -> None:
    options = WriteOptions(step=Step(transitions.START, release.pk, release.step))
    gate.check(start_change(release), replace(intent, options=options))


def begin(release: Release, intent: Intent) -> None:
    release.state, release.started_at = State.RUNNING, intent.at
    release.clear()
    transitions.record("started", release, intent, more={"artefact": artefact_of(release)})
    transitions.enter(release, 0, transitions.by_itself(release, "", intent.at))


def _take_place(release: Release, intent: Intent) -> None:
    """Make sure, when it begins, that nothing else moves there, and keep what it goes back to."""
    _make_way(release, intent)
    _take_route(release)
    if release.service:
        release.stable = selectors.stable_of(release.service, release.environment)
    if release.undoes and release.undoes.artefact != release.stable:
        text = _("Another version than that of release {number} is live by now. Plan it again.")
        raise Conflict(text.format(number=release.undoes_id), current={}, yours={})


def _make_way(release: Release, intent: Intent) -> None:
    """One release at a time: another one ends only by a person's word, and goes back."""
    others = _others(release)
    for other in others.filter(state__in=MOVING).select_related("environment"):
        locked = lock_release(other)
        if locked.pk != release.supersedes_id:
            text = _("Release {number}, {title}, moves there now. Let it end, or supersede it.")
            said = text.format(number=locked.pk, title=locked.title)
            raise Conflict(said, current={"release": locked.pk}, yours={})
        because = {"about": release.pk, "by": intent.actor.label, "to": State.SUPERSEDED}
        if locked.router["kind"] == "flag":
            transitions.go_back(locked, because, intent)
        elif _deploys_over(release, locked):
            text = _(
                "Release {number}, {title}, has users where this one deploys. Roll it back first."
            )
            said = text.format(number=locked.pk, title=locked.title)
            raise Conflict(said, current={"release": locked.pk}, yours={})
        else:  # the new one's first step says what its router is to do
            locked.because = because
            if locked.told.get("share"):  # what is there now, nobody has confirmed for the new one
                release.told = {"share": None}
            transitions.end(locked, State.SUPERSEDED, intent)
    last = others.filter(state=State.SUCCEEDED).order_by("-ended_at", "-pk").first()
    if last is not None and not release.goes_back:  # what undoes one ends its pins, as a rollback
        pins.require_none(last, intent.at)
    watched = others.filter(state=State.SUCCEEDED).exclude(due_at=None)
    for over in watched:
        transitions.leave(over)
    watched.update(due_at=None, watch_until=intent.at)
    _refuse_ramps(release)


def _deploys_over(release: Release, other: Release) -> bool:
    """Whether a release would put its version where another one has users, or instances."""
    begun = other.told.get("share") or other.present.work is Work.BATCH
    works = {step.work for one in (release, other) for step in one.parsed_plan.steps}
    return bool(begun and works & {Work.DEPLOY, Work.BATCH})


def _others(release: Release) -> QuerySet[Release]:
    """The other releases of the same, or that route by the same flag."""
    alike = Q(service=release.service) if release.service else Q(flag=release.flag)
    if "flag" in release.router:
        alike |= Q(router__flag=release.router["flag"])
    return Release.objects.filter(alike, environment=release.environment).exclude(pk=release.pk)


def _refuse_ramps(release: Release) -> None:
    if "flag" not in release.router:
        return
    ramps = Plan.objects.alive().filter(
        kind=PlanKind.RAMP,
        environment=release.environment,
        flag__key=release.router["flag"],
        flag__project=release.project,
    )
    if ramps.exists():
        text = _("A ramp moves the flag {flag} already. Cancel it first.")
        raise Invalid.of("", text, flag=release.router["flag"])


def _take_route(release: Release) -> None:
    """Keep what the router has before the first step. Raises Conflict where it was moved since."""
    if release.router["kind"] == "haproxy":
        if has_turned(release):
            text = _("Another place is live by now. Plan it again.")
            raise Conflict(text, current={}, yours={})
        outside_routers.take_over(release)
    if release.router["kind"] != "flag":
        return
    flag, environment = transitions.flag_of(release), release.environment
    current = FlagConfiguration.objects.get(flag=flag, environment=environment)
    document, turns_on = current.document, bool(release.router.get("turns_on"))
    told = flag_router.told(document, flag_router.route_of(release.router))
    is_as_planned = current.enabled != turns_on and (turns_on or told.share == 0)
    if not is_as_planned or flag.is_archived:
        text = _("The flag {flag} was changed since this was planned. Plan it again.")
        raise Conflict(text.format(flag=flag.key), current=document, yours={})
    release.before = document


class ReleaseWaits(Waiting):
    """A release that is planned and waits for others to agree that it starts."""

    def __init__(self, waiting: Waiting, release: Release) -> None:
        super().__init__(waiting.request)
        self.release = release

    @property
    def extras(self) -> dict[str, Any]:
        return {**super().extras, "release": self.release.pk}


@dataclass(frozen=True, slots=True)
class Planned:
    """A release that is there. It starts once what ``waiting`` asks for is agreed to; None where
    it has started."""

    release: Release
    waiting: Waiting | None = None

    @property
    def started(self) -> Release:
        """The release. Raises ReleaseWaits where others have to agree first."""
        if self.waiting:
            raise ReleaseWaits(self.waiting, self.release)
        return self.release


@transaction.atomic
def plan_and_start(
    *,
    project: Project,
    environment: Environment,
    document: object,
    intent: Intent,
    supersede: bool = False,
    undoes: Release | None = None,
) -> Planned:
    """Make a release and start it, or have it start at its ``not_before``.

    Where others have to agree first the release stays planned, and its request is there. Raises
    what planning and starting raise: then there is no release.
    """
    release = plan_release(
        project=project,
        environment=environment,
        document=document,
        intent=intent,
        undoes=undoes,
    )
    try:
        started = start(release=release, intent=intent, supersede=supersede)
    except Waiting as waiting:
        return Planned(release, waiting)
    return Planned(started)
