"""What people can tell a release, and who may.

Stopping and going back are free; going on may take approval.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _, gettext_lazy

from portal.access import authority, outbox
from portal.access.models import User
from portal.access.permissions import Permission
from portal.approvals.models import ChangeRequest
from portal.lib.errors import Forbidden, Invalid, checked_text
from portal.lib.journal import Intent
from releases.core import selectors
from releases.core.models import GOING_UP, MOVING, Release, State
from releases.core.routes import ruling_of
from releases.engine.plans import Strategy
from releases.engine.steps import Work


@dataclass(frozen=True, slots=True)
class Command:
    """One thing to tell a release: in which states it can be told, and what it takes.

    ``stops`` says that it only ever lowers what the new version gets, or lets it rest: that is
    free to those who may deploy, or roll back.
    """

    name: str
    label: object
    states: tuple[State, ...]
    stops: bool = False
    wants_reason: bool = False


_C, _L = Command, gettext_lazy
COMMANDS: dict[str, Command] = {
    one.name: one
    for one in (
        _C("start", _L("Start"), (State.PLANNED,)),
        _C("confirm", _L("Confirm that traffic is moved"), MOVING),
        _C("pause", _L("Pause"), (State.RUNNING, State.WAITING, State.HELD), stops=True),
        _C("resume", _L("Resume"), (State.PAUSED,)),
        _C("promote", _L("Promote"), GOING_UP),
        _C("promote_fully", _L("Promote to everybody"), GOING_UP, wants_reason=True),
        _C("dismiss", _L("Dismiss a failure"), GOING_UP, wants_reason=True),
        _C("retry", _L("Retry the step"), (State.RUNNING, State.WAITING, State.HELD)),
        _C("jump_back", _L("Back to an earlier step"), GOING_UP, stops=True),
        _C("drop_cohort", _L("Take back one cohort"), GOING_UP, stops=True),
        _C("abort", _L("Abort"), (State.PLANNED, *GOING_UP), stops=True),
        _C("rollback", _L("Roll back"), (*GOING_UP, State.SUCCEEDED), stops=True),
        _C("undo", _L("Release the version before"), (State.SUCCEEDED,), wants_reason=True),
    )
}


def why_not(
    release: Release,
    command: str,
    permissions: Collection[str],
    at: Any,
    *,
    with_group: bool = False,
) -> str:
    """Why a release cannot be told something now; ``with_group`` where its whole group is told."""
    one = COMMANDS[command]
    if release.state not in one.states:
        return _("It is {state}.").format(state=State(release.state).label)
    if release.state == State.SUCCEEDED and (why := _why_stays(release, command, at)):
        return why
    if why := _why_nothing_to_do(release, command):
        return why
    if why := _why_with_group(release, command, with_group=with_group):
        return why
    if command in ("promote", "promote_fully") and (why := _why_step_by_step(release, command, at)):
        return why
    lacks = _lacks(release, one, permissions)
    return str(Forbidden(lacks)) if lacks else ""


def _why_nothing_to_do(release: Release, command: str) -> str:
    if command in ("abort", "rollback", "jump_back") and _stops_the_old(release):
        return _("The old version is being stopped. When that is done, release it again.")
    if command == "confirm" and not any(one["cause"] == "confirm" for one in release.holds):
        return _("There is nothing to confirm.")
    if command == "dismiss" and not failing(release):
        return _("No check fails.")
    if command == "drop_cohort" and not release.wanted.get("cohorts"):
        return _("No cohort gets it separately.")
    if command == "jump_back" and release.step <= first_step_back(release):
        return _("It is at its first step.")
    return _why_not_half_done(release, command)


def first_step_back(release: Release) -> int:
    """The earliest step that it can go back to: nothing is deployed over users."""
    return int(release.parsed_plan.all_steps[0].work is Work.DEPLOY)


def _why_not_half_done(release: Release, command: str) -> str:
    """A deployment, or a batch, is left when it is done, or taken back."""
    rolls = release.parsed_plan.strategy is Strategy.ROLLING
    if rolls and command in ("promote_fully", "jump_back"):
        return _("A rolling release goes on batch by batch, or is rolled back.")
    deploys = release.present.work in (Work.DEPLOY, Work.BATCH, Work.RETIRE)
    if deploys and release.entered_at is None and command in ("promote", "promote_fully"):
        return _("This step is not done yet. Let it finish, retry it, or roll back.")
    return ""


_GOES_BACK = ("abort", "rollback", "undo", "confirm", "drop_cohort")


def _why_with_group(release: Release, command: str, *, with_group: bool) -> str:
    group = release.group
    if group is None:
        return ""
    if group.failed_at is not None and command not in _GOES_BACK:
        return _("Its group “{name}” goes back.").format(name=group.name)
    texts = {
        "promote": _("It moves with its group “{name}”: promote the group."),
        "promote_fully": _("It moves with its group “{name}”: promote the group."),
        "jump_back": _("It moves with its group “{name}”, so it cannot go back to a step alone."),
    }
    return "" if with_group else texts.get(command, "").format(name=group.name)


def _stops_the_old(release: Release) -> bool:
    return release.is_moving and release.present.work is Work.RETIRE


def _why_stays(release: Release, command: str, at: Any) -> str:
    if command != "undo":
        text = _("Its watch is over. Release the version before instead.")
        return "" if release.is_watched(at) else text
    if release.service is None:
        return _("Change the flag itself, or restore it from its history.")
    if release.is_watched(at):
        return _("It is still watched: roll it back.")
    if release.stable is None or release.stable == release.artefact:
        return _("Nothing was released there before it.")
    if selectors.stable_of(release.service, release.environment) != release.artefact:
        return _("Another version is live by now.")
    planned = release.undone.filter(state=State.PLANNED).first()
    if planned is not None:
        return _("Release {number} is planned to do it.").format(number=planned.pk)
    moves = selectors.active_of(release.service, release.environment)
    if moves is not None:
        text = _("Release {number}, {title}, moves there now. Let it end, or roll it back.")
        return text.format(number=moves.pk, title=moves.title)
    return ""


def _why_step_by_step(release: Release, command: str, at: Any) -> str:
    number = promoted_to(release, fully=command == "promote_fully")
    soaked_at, now = release.soaked_at, release.paused_at or at
    if soaked_at is not None and soaked_at <= now and number <= release.step + 1:
        return ""
    requiring = ruling_of(release).requiring if release.template else None
    if requiring is None or release.template not in requiring.templates:
        return ""
    text = _(
        "The release policy “{name}” requires each step of the template {key} for its full time. "
        "Let it continue, roll back, or have the policy changed."
    )
    return text.format(name=requiring.name, key=release.template)


def failing(release: Release) -> list[str]:
    return [key for key, one in release.checks.items() if one.get("verdict") == "failed"]


def _lacks(release: Release, command: Command, permissions: Collection[str]) -> Permission | None:
    """The permission that is named to who lacks what a command takes; None to who may."""
    own = selectors.needed(release)
    if command.name in ("promote", "promote_fully"):
        number = promoted_to(release, fully=command.name == "promote_fully")
        taken = promoting(release, number)
        return next((one for one in taken if one not in permissions), None)
    goes_back = command.name in ("abort", "rollback") or release.state == State.ROLLING_BACK
    wanted = (Permission.RELEASE_ROLLBACK if goes_back else own[0],)
    free: tuple[Permission, ...] = ()
    if command.stops and (command.name != "rollback" or not release.service_id):
        free = (Permission.RELEASE_ROLLBACK, *own)
    return None if {*wanted, *free} & set(permissions) else wanted[0]


def promoted_to(release: Release, *, fully: bool) -> int:
    """The step that a promotion leads to: fully, the last that gives traffic. What ran before is
    stopped only by a step of the plan, once everybody has left it."""
    steps = release.parsed_plan.all_steps
    last = len(steps) - 1
    whole = max(number for number, step in enumerate(steps) if step.has_traffic)
    return max(whole, release.step) if fully else min(release.step + 1, last)


def promoting(release: Release, number: int) -> tuple[Permission, ...]:
    """What it takes to let it go on to a step now: to pass gates, whether it has come to them or
    not, is to approve; to leave a step before its time is to deploy."""
    own = selectors.needed(release)
    gates = [step.gate for step in release.parsed_plan.all_steps[release.step : number]]
    if not any(gates) or not release.service_id:
        return own
    is_due = at_gate(release) and number == release.step + 1
    return (Permission.RELEASE_APPROVE, *(() if is_due else own))


def at_gate(release: Release) -> bool:
    return any(one["cause"] == "gate" for one in release.holds)


def lock_release(release: Release) -> Release:
    """A release and all that decides about it, locked in the order of every writer: who may do
    what, the request that allows it and its people, the environment, the release."""
    outbox.lock_people(release.project)
    if release.agreement_id:
        ChangeRequest.objects.select_for_update(no_key=True).get(pk=release.agreement_id)
    people = User.objects.select_for_update(no_key=True).filter(pk=release.author_user_id or 0)
    list(people.order_by("pk"))
    (environment,) = outbox.lock_environments([release.environment])
    locked = Release.objects.select_for_update(of=("self",), no_key=True)
    found = locked.select_related(
        "project", "service", "flag", "flag__project", "artefact", "stable", "author_user"
    ).get(pk=release.pk)
    found.environment = environment
    return found


def lock_for(release: Release, name: str, intent: Intent, *, with_group: bool = False) -> Release:
    """The release, locked, if it can be told this now by who tells it."""
    locked = lock_release(release)
    command = COMMANDS[name]
    if intent.options.is_own:
        held = authority.permissions_of(intent.actor, locked.project, locked.environment)
    else:
        held = frozenset(Permission)
    why = why_not(locked, name, held, intent.at, with_group=with_group)
    if why:
        if lacks := _lacks(locked, command, held):
            raise Forbidden(lacks)
        raise Invalid({"": why})
    if command.wants_reason and not checked_text(intent.reason, "reason"):
        raise Invalid({"reason": _("Say why; it is kept in the history.")})
    locked.changed_at, locked.changed_by = intent.at, intent.actor.label
    return locked
