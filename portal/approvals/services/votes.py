from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from portal.access import authority, outbox
from portal.access.models import User
from portal.access.permissions import Permission
from portal.approvals import handlers, notifications, selectors
from portal.approvals.authors import author_of
from portal.approvals.errors import Closed, Edited, Stopped
from portal.approvals.freezes.selectors import Frozen, freezes_in_force
from portal.approvals.handlers import Wanted
from portal.approvals.models import ChangeRequest, State, Verdict, Vote
from portal.approvals.services.requests import (
    close_request,
    lock_open,
    lock_request,
    refuse_own,
    require_person,
)
from portal.lib import journal
from portal.lib.errors import AviaryError, Conflict, Forbidden, Invalid, checked_text
from portal.lib.journal import Actor, Intent, WriteOptions
from portal.runs.runner import Runner


@transaction.atomic
def apply_request(
    *, request: ChangeRequest, intent: Intent, override_freeze: bool = False
) -> ChangeRequest:
    """Apply a request now; ``reason`` says why a freeze is overridden for it.

    Raises Forbidden without ``change_request.apply`` in each environment, NotApproved with what is
    missing, Conflict with both sides where the subject changed meanwhile, Closed where it is
    decided, Barred where its author may no longer want it, Frozen while a freeze is in force.
    """
    locked = _lock_with_people(request)
    _require_apply(locked, intent.actor)
    why = intent.reason.strip()
    options = WriteOptions(locked.pk, override_freeze=override_freeze, override_reason=why)
    return _apply_locked(locked, replace(intent, options=options))


@transaction.atomic
def apply_as_asked(*, request: ChangeRequest, intent: Intent) -> ChangeRequest:
    """Apply a request because its author asked for that as soon as it is approved.

    Either of them must be somebody who may apply it: raises Forbidden where neither is.
    """
    locked = _lock_with_people(request)
    try:
        _require_apply(locked, author_of(locked))
    except Forbidden:
        _require_apply(locked, intent.actor)
    return _apply_locked(locked, replace(intent, options=WriteOptions(agreement=locked.pk)))


def _lock_with_people(request: ChangeRequest) -> ChangeRequest:
    """An open request, under the lock of who may do what.

    No role of a voter goes away while it is applied, and nobody's account is closed.
    """
    outbox.lock_people(request.project)
    locked = lock_open(request)
    people = set(locked.votes.values_list("user_id", flat=True))
    if locked.author_user_id:
        people.add(locked.author_user_id)
    list(User.objects.select_for_update(no_key=True).filter(pk__in=people).order_by("pk"))
    return locked


def _require_apply(request: ChangeRequest, actor: Actor) -> None:
    for environment in selectors.deciding_environments(request):
        authority.require(
            actor,
            Permission.CHANGE_REQUEST_APPLY,
            project=request.project,
            environment=environment,
        )


def _apply_locked(locked: ChangeRequest, intent: Intent) -> ChangeRequest:
    intent = replace(intent, reason=locked.reason)
    handlers.apply(locked, Wanted(locked.after, locked.base_version, intent))
    locked.refresh_from_db()
    if locked.is_open:  # the service found nothing to change, and so never came to the gate
        raise Conflict(
            _("Already up to date: nothing is left to change. Withdraw the request."),
            current=handlers.subject_of(locked).now().document,
            yours=locked.after,
        )
    return locked


@dataclass(frozen=True, slots=True)
class Voted:
    """A request after a vote. ``problem`` says why an approved one could not be applied."""

    request: ChangeRequest
    problem: str = ""


def cast_vote(
    *, request: ChangeRequest, verdict: str, seen_digest: str, intent: Intent, comment: str = ""
) -> Voted:
    """Approve or reject exactly what was seen; the last approval applies it where that was asked.

    Raises Barred for who asked or edited, Forbidden without ``change_request.approve`` in any of
    its environments, Edited where the content is another by now, Closed where it is decided,
    Stopped where nothing can come of an approval now, as of what is archived, Invalid for a second
    vote, a rejection without a comment, and a comment that is too long.
    """
    voted = _store(request, verdict, seen_digest, intent, checked_text(comment, "comment"))
    return Voted(voted) if verdict == Verdict.REJECT else apply_if_approved(voted, intent)


def apply_if_approved(request: ChangeRequest, intent: Intent) -> Voted:
    """Apply a request where nothing is missing any more and that was asked for."""
    if request.author_user_id is None or not request.apply_when_approved:
        return Voted(request)
    assessments = selectors.assess_request(request, now=intent.at)
    if not all(one.status.is_satisfied for one in assessments):
        return Voted(request)
    return _apply(request, intent)


@transaction.atomic
def withdraw_vote(*, request: ChangeRequest, intent: Intent) -> None:
    """Take one's own vote back while the request is open. Raises Closed where it is decided."""
    user = require_person(intent.actor)
    locked = lock_open(request)
    if locked.votes.filter(user=user).delete()[0]:
        intent.record("change_request.vote_withdrawn", locked)


@transaction.atomic
def _store(
    request: ChangeRequest, verdict: str, seen_digest: str, intent: Intent, comment: str
) -> ChangeRequest:
    user = require_person(intent.actor)
    locked = lock_open(request)
    if verdict not in Verdict.values:
        raise Invalid({"verdict": _("Approve or reject.")})
    names = _names(locked, user)
    refuse_own(locked, user)
    if seen_digest != locked.digest:
        raise Edited
    if verdict == Verdict.APPROVE and (why := handlers.stopped([locked]).get(locked.pk)):
        raise Stopped(why)
    if locked.votes.filter(user=user).exists():
        raise Invalid({"": _("You have voted already; take that back first.")})
    if verdict == Verdict.REJECT and not comment:
        raise Invalid({"comment": _("Give a reason, so the author can fix it.")})
    vote = Vote.objects.create(
        request=locked,
        user=user,
        verdict=verdict,
        digest=locked.digest,
        names=names,
        comment=comment,
        at=intent.at,
    )
    event = "change_request.approved" if verdict == Verdict.APPROVE else "change_request.rejected"
    after = {"digest": locked.digest, "roles": names}
    replace(intent, reason=comment).record(event, locked, after=after)
    notifications.tell_voted(locked, vote)
    if verdict == Verdict.REJECT:
        close_request(locked, State.REJECTED, intent)
    return locked


def _names(request: ChangeRequest, user: User) -> list[str]:
    """The roles and groups with which somebody votes. Raises Forbidden where they may not."""
    assignments = authority.role_assignments_of(user, request.project)
    environments = selectors.deciding_environments(request)
    if not selectors.may_approve(assignments, environments):
        raise Forbidden(Permission.CHANGE_REQUEST_APPROVE)
    return sorted(set().union(*(assignments.names_in(place.pk) for place in environments)))


def _apply(request: ChangeRequest, intent: Intent) -> Voted:
    """The vote stays whatever comes of it; somebody else may have been quicker."""
    try:
        return Voted(apply_as_asked(request=request, intent=intent))
    except Closed as closed:
        decided = closed.request
        return Voted(decided, "" if decided.state == State.APPLIED else str(closed))
    except Frozen as frozen:
        held = hold_request(request=request, frozen=frozen, intent=intent)
        return Voted(held, str(frozen))
    except AviaryError as error:
        notifications.tell_problem(request, str(error))
        return Voted(request, str(error))


def adopt_request(*, request: ChangeRequest, intent: Intent) -> Voted:
    """Become the author of a request that has none: it is then applied if nothing else is missing.

    Raises Closed where it is decided; Forbidden without the permissions that it takes to ask for
    it, and for keys; Invalid where somebody answers for it, and for who has voted on it.
    """
    return apply_if_approved(_adopt(request, intent), intent)


@transaction.atomic
def _adopt(request: ChangeRequest, intent: Intent) -> ChangeRequest:
    user = require_person(intent.actor)
    outbox.lock_people(request.project)
    locked = lock_open(request)
    if locked.author_user is not None:
        text = _("{name} is already responsible for this request.")
        raise Invalid({"": text.format(name=locked.author_user.username)})
    for permission in {*locked.permissions, Permission.CHANGE_REQUEST_CREATE}:
        for place in selectors.deciding_environments(locked):
            authority.require(
                intent.actor, Permission(permission), project=locked.project, environment=place
            )
    if locked.votes.filter(user=user).exists():
        raise Invalid({"": _("You have voted on this request; take that back first.")})
    locked.author_user = user
    locked.save(update_fields=["author_user"])
    intent.record("change_request.adopted", locked)
    return locked


END_OF_FREEZE = journal.system("end of freeze")


@transaction.atomic
def hold_request(*, request: ChangeRequest, frozen: Frozen, intent: Intent) -> ChangeRequest:
    """Remember that a request would have been applied now, had there been no freeze."""
    locked = lock_request(request.project, request.pk)
    if locked.is_open:
        locked.held_at, locked.problem = intent.at, str(frozen)
        locked.save(update_fields=["held_at", "problem"])
        intent.record("change_request.held", locked, after=frozen.extras)
    return locked


def apply_waiting() -> int:
    """Apply the requests whose freeze is over; returns how many those were."""
    return HeldRequestRunner().look()


class HeldRequestRunner(Runner[ChangeRequest]):
    """What a freeze held up. One that cannot be applied any more says why in the history, and
    waits for people again."""

    holding = (Frozen,)

    def due(self, at: datetime) -> QuerySet[ChangeRequest]:
        held = ChangeRequest.objects.exclude(held_at=None)
        return held.filter(state=State.OPEN, apply_when_approved=True).order_by("pk")

    def find(self, at: datetime) -> list[ChangeRequest]:
        found = self.free(at).select_related("project").prefetch_related("environments")
        return [one for one in found if not freezes_in_force(one.environments.all(), at)]

    def lock(self, seen: ChangeRequest) -> ChangeRequest:
        outbox.lock_people(seen.project)
        return lock_request(seen.project, seen.pk)

    def carry_out(self, work: ChangeRequest, at: datetime, answer: object) -> None:
        apply_as_asked(request=work, intent=Intent(END_OF_FREEZE, at=at))

    def stop(self, work: ChangeRequest, why: str, at: datetime, cause: Exception) -> None:
        work.clear()
        work.save()
        Intent(END_OF_FREEZE, why, at=at).record("change_request.not_applied", work)
