"""What people can tell a whole group. Each member is told by the same rules as by itself: who lacks
a right on one of them has told none."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _, gettext_lazy

from portal.access import outbox
from portal.access.models import User
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest
from portal.lib.errors import Conflict, Invalid
from portal.lib.journal import ActorKind, Intent
from releases.core import command_rules, commands, group_ticks, lockstep
from releases.core.models import GOING_UP, Release, ReleaseGroup, State
from releases.engine.steps import Work


@dataclass(frozen=True, slots=True)
class GroupCommand:
    """One thing to tell a group: what each member is told by it, and which of them are told.

    ``goes_back`` where it ends the group for good.
    """

    name: str
    label: object
    tell: str
    is_for: Callable[[Release, datetime], bool]
    nobody: object
    goes_back: bool = False


def _is_startable(release: Release, _at: datetime) -> bool:
    return release.state == State.PLANNED and release.due_at is None


def _goes_back(release: Release, at: datetime) -> bool:
    if release.is_moving and release.present.work is Work.RETIRE:
        return False  # what it would go back to is being stopped: it waits until that is done
    return release.state in (State.PLANNED, *GOING_UP) or release.is_watched(at)


_G, _L = GroupCommand, gettext_lazy
GROUP_COMMANDS: Final = {
    one.name: one
    for one in (
        _G("start", _L("Start"), "start", _is_startable, _L("Every member is started already.")),
        _G(
            "pause",
            _L("Pause"),
            "pause",
            lambda one, _at: one.state in (State.RUNNING, State.WAITING, State.HELD),
            _L("No member moves now."),
        ),
        _G(
            "resume",
            _L("Resume"),
            "resume",
            lambda one, _at: one.state == State.PAUSED,
            _L("No member is paused."),
        ),
        _G(
            "promote",
            _L("Promote"),
            "promote",
            lambda one, _at: command_rules.at_gate(one),
            _L("No member waits at a gate."),
        ),
        _G(
            "abort",
            _L("Abort"),
            "abort",
            _goes_back,
            _L("No member can be aborted."),
            goes_back=True,
        ),
        _G(
            "rollback",
            _L("Roll back"),
            "rollback",
            _goes_back,
            _L("No member can be rolled back."),
            goes_back=True,
        ),
    )
}


def told_by(
    group: ReleaseGroup, members: Collection[Release], name: str, at: datetime
) -> list[Release]:
    """The members that a command is for now."""
    if group.failed_at is not None:
        return []
    return [one for one in members if GROUP_COMMANDS[name].is_for(one, at)]


def why_nobody(group: ReleaseGroup, name: str) -> str:
    if group.failed_at is not None:
        return _("The group goes back already, or has.")
    return str(GROUP_COMMANDS[name].nobody)


@transaction.atomic
def tell(
    *, group: ReleaseGroup, name: str, intent: Intent, supersede: bool = False
) -> list[Waiting]:
    """Tell each member that a command is for, in one transaction: all of them, or none.

    Returns what waits for others to agree, for a member each; that one goes on when they have.
    Going back again changes nothing. Raises what the members' own commands raise.
    """
    locked = lock_group(group)
    members = lockstep.members_of(locked)
    command = GROUP_COMMANDS[name]
    if command.goes_back and locked.failed_at is not None:
        return []
    mine = told_by(locked, members, name, intent.at)
    if not mine:
        raise Invalid({"": why_nobody(locked, name)})
    if command.goes_back:
        _take_back(locked, mine, name, intent)
        return []
    more = {"supersede": supersede} if name == "start" else {}
    told = commands.pass_gate if name == "promote" else commands.TELL[name]
    after = {"name": locked.name, "members": [one.title for one in mine]}
    waiting = []
    for one in sorted(mine, key=lambda one: one.pk):
        try:
            told(release=one, intent=intent, **more)
        except Waiting as found:
            waiting.append(found)
        except (Invalid, Conflict) as error:
            raise _of_member(one, error) from None
    intent.record(f"release_group.{_EVENTS[name]}", locked, after=after)
    return waiting


_EVENTS: Final = {
    "start": "started",
    "pause": "paused",
    "resume": "resumed",
    "promote": "promoted",
}


def _of_member(release: Release, error: Invalid | Conflict) -> Invalid | Conflict:
    name = lockstep.named(release)
    if isinstance(error, Conflict):
        return Conflict(f"{name}: {error}", current=error.current, yours=error.yours)
    return Invalid({path: f"{name}: {text}" for path, text in error.problems.items()})


def _take_back(
    group: ReleaseGroup, members: Collection[Release], name: str, intent: Intent
) -> None:
    """Ask of each whether it may be told; then as many go back, from the last to the first, as need
    not wait for a router."""
    for one in members:
        command_rules.lock_for(one, _told_as(one, name), intent, with_group=True)
    because = {
        "by": intent.actor.label,
        "reason": intent.reason.strip(),
        "to": str(State.ABORTED if name == "abort" else State.ROLLED_BACK),
        "person": intent.actor.kind is ActorKind.USER,
    }
    lockstep.note_failure(group, None, because, intent)
    for one in sorted(members, key=lambda one: -one.position):
        release = command_rules.lock_release(one)
        if release.state == State.PLANNED:
            group_ticks.abort(release, intent)
        elif back := lockstep.way_back(release):
            release.fence += 1  # a worker that has it in hand finds another number
            release.leased_until = None
            group_ticks.take_back(release, back, intent)


def _told_as(release: Release, name: str) -> str:
    return {State.PLANNED: "abort", State.SUCCEEDED: "rollback"}.get(State(release.state), name)


def lock_group(group: ReleaseGroup) -> ReleaseGroup:
    """A group and all that decides about its members, locked in every writer's order."""
    project = group.project
    outbox.lock_people(project)
    rows = list(group.members.select_related("environment").order_by("pk"))
    asked = ChangeRequest.objects.select_for_update(no_key=True)
    list(asked.filter(pk__in=[one.agreement_id for one in rows if one.agreement_id]).order_by("pk"))
    people = User.objects.select_for_update(no_key=True)
    authors = {one.author_user_id for one in rows if one.author_user_id}
    list(people.filter(pk__in=authors).order_by("pk"))
    outbox.lock_environments(one.environment for one in rows)
    locked = Release.objects.select_for_update(of=("self",), no_key=True)
    list(locked.filter(group=group).order_by("pk"))
    found = ReleaseGroup.objects.select_for_update(of=("self",), no_key=True)
    return found.select_related("project").get(pk=group.pk)


def why_not(
    group: ReleaseGroup,
    members: Collection[Release],
    name: str,
    permissions_in: Callable[[int], Collection[str]],
    at: datetime,
) -> str:
    """Why somebody cannot tell a group something now; empty where they can. ``permissions_in`` says
    what they hold in an environment, by its id."""
    mine = told_by(group, members, name, at)
    if not mine:
        return why_nobody(group, name)
    for one in mine:
        held = permissions_in(one.environment_id)
        told_as = _told_as(one, name) if GROUP_COMMANDS[name].goes_back else name
        if why := command_rules.why_not(one, told_as, held, at, with_group=True):
            return f"{one.title}: {why}"
    return ""
