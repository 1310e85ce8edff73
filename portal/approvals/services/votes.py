from dataclasses import dataclass, replace

from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import authority
from portal.access.models import User
from portal.access.permissions import Permission
from portal.approvals import handlers, selectors, telling
from portal.approvals.errors import Closed, Edited, Frozen, Stopped
from portal.approvals.models import ChangeRequest, State, Verdict, Vote
from portal.approvals.services import applying, holding
from portal.approvals.services.requests import (
    close_request,
    lock_request,
    refuse_own,
    require_person,
)
from portal.lib.errors import AviaryError, Forbidden, Invalid, checked_text
from portal.lib.journal import Intent


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
    if not all(one.standing.is_satisfied for one in assessments):
        return Voted(request)
    return _apply(request, intent)


@transaction.atomic
def withdraw_vote(*, request: ChangeRequest, intent: Intent) -> None:
    """Take one's own vote back while the request is open. Raises Closed where it is decided."""
    user = require_person(intent.actor)
    locked = lock_request(request.project, request.pk)
    if not locked.is_open:
        raise Closed(locked)
    if locked.votes.filter(user=user).delete()[0]:
        intent.record("change_request.vote_withdrawn", locked)


@transaction.atomic
def _store(
    request: ChangeRequest, verdict: str, seen_digest: str, intent: Intent, comment: str
) -> ChangeRequest:
    user = require_person(intent.actor)
    locked = lock_request(request.project, request.pk)
    if not locked.is_open:
        raise Closed(locked)
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
    telling.tell_voted(locked, vote)
    if verdict == Verdict.REJECT:
        close_request(locked, State.REJECTED, intent)
    return locked


def _names(request: ChangeRequest, user: User) -> list[str]:
    """The roles and groups with which somebody votes. Raises Forbidden where they may not."""
    holdings = authority.holdings_of(user, request.project)
    environments = selectors.deciding_environments(request)
    if not selectors.may_approve(holdings, environments):
        raise Forbidden(Permission.CHANGE_REQUEST_APPROVE)
    return sorted(set().union(*(holdings.names_in(place.pk) for place in environments)))


def _apply(request: ChangeRequest, intent: Intent) -> Voted:
    """The vote stays whatever comes of it; somebody else may have been quicker."""
    try:
        return Voted(applying.apply_as_asked(request=request, intent=intent))
    except Closed as closed:
        decided = closed.request
        return Voted(decided, "" if decided.state == State.APPLIED else str(closed))
    except Frozen as frozen:
        held = holding.hold_request(request=request, frozen=frozen, intent=intent)
        return Voted(held, str(frozen))
    except AviaryError as error:
        telling.tell_problem(request, str(error))
        return Voted(request, str(error))
