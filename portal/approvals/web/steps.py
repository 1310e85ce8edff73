"""What a person may do about a request, and for all the rest: why not, and whom to ask."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _, gettext_noop

from portal.access import selectors as access
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope
from portal.approvals import approval_progress
from portal.approvals.models import ChangeRequest, Emergency, Vote
from portal.lib import clock

NO_FORM = gettext_noop(
    "A change of this kind has no form to edit it in; withdraw it and ask again."
)
APPROVE, APPLY = Permission.CHANGE_REQUEST_APPROVE, Permission.CHANGE_REQUEST_APPLY


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the steps follow from.

    ``deciding`` are the environments where it is decided, ``candidates`` who may still vote,
    ``missing`` sentences on what the request lacks, ``drifted`` whether its base was changed,
    ``stopped`` why nothing can come of it now, ``closed`` that it is decided, where it is.
    """

    scope: Scope
    request: ChangeRequest
    deciding: list[Environment]
    candidates: list[str]
    missing: list[str]
    drifted: bool
    stopped: str
    closed: str
    edit_address: str


def steps_of(facts: Facts) -> dict[str, Step]:
    mine = (one for one in facts.request.votes.all() if one.user_id == facts.scope.user.pk)
    vote = next(mine, None)
    voting, editing = _vote(facts, vote), facts.stopped or _edit(facts)
    found = [
        Step("approve", facts.stopped or voting),
        Step("reject", voting),
        Step("apply", facts.stopped or _apply(facts)),
        Step("renew", editing),
        Step("edit", editing or ("" if facts.edit_address else _(NO_FORM))),
        Step("withdraw", _withdraw(facts)),
    ]
    if facts.request.author_user_id is None and not facts.closed:
        found.append(Step("adopt", _adopt(facts, vote)))
    if vote is not None:
        found.append(Step("take_back", facts.closed))
    return {step.name: step for step in found}


def emergency_steps(scope: Scope, emergency: Emergency, deciding: list[Environment]) -> list[Step]:
    mine = emergency.actor_user_id == scope.user.pk
    permitted = _permitted(scope, APPROVE, deciding)
    another = (
        _by_another(scope, deciding)
        if mine
        else permitted
        or approval_progress.of_two(
            emergency.actor_user_id, scope.user.pk, emergency.request, now=clock.now()
        )
    )
    ended = "" if emergency.is_running else _("It is no longer running.")
    reviewed = _("{person} has reviewed this.").format(person=emergency.reviewed_by)
    return [
        Step("confirm", ended or another),
        Step("revert", ended or ("" if mine else permitted)),
        Step("review", (reviewed if emergency.is_reviewed else "") or another),
    ]


def closed_sentence(request: ChangeRequest) -> str:
    if request.is_open:
        return ""
    return _("This request is {state} already.").format(state=request.get_state_display())


def _vote(facts: Facts, vote: Vote | None) -> str:
    request, user = facts.request, facts.scope.user
    if facts.closed:
        return facts.closed
    if request.author_user_id == user.pk:
        why = _("You asked for this change, so somebody else has to approve it: {people}.")
        return why.format(people=_whom(facts.candidates))
    if any(editor.user_id == user.pk for editor in request.editors.all()):
        why = _("You edited this request, so somebody else has to approve it: {people}.")
        return why.format(people=_whom(facts.candidates))
    if vote is not None:
        return _("You have approved this already.")
    if not any(facts.scope.allows(APPROVE, place) for place in facts.deciding):
        return _lacking(APPROVE, facts.candidates)
    return ""


def _apply(facts: Facts) -> str:
    if facts.closed:
        return facts.closed
    permitted = _permitted(facts.scope, APPLY, facts.deciding)
    if permitted:
        return permitted
    if facts.drifted:
        return _("It is based on an older version; bring it up to date first.")
    if facts.missing:
        return _("Not approved yet: {missing}").format(missing=" ".join(facts.missing))
    return ""


def _edit(facts: Facts) -> str:
    """Editing takes the permissions that requesting the change takes."""
    request = facts.request
    if request.state not in ("open", "rejected"):
        return facts.closed
    for permission in map(Permission, request.permissions):
        why = _permitted(facts.scope, permission, list(request.environments.all()))
        if why:
            return why
    return ""


def _adopt(facts: Facts, vote: Vote | None) -> str:
    """Who may ask for the change may answer for it, and then does not vote on it."""
    if vote is not None:
        return _("You have voted on this request; take that back first.")
    wanted = [*map(Permission, facts.request.permissions), Permission.CHANGE_REQUEST_CREATE]
    reasons = (_permitted(facts.scope, one, facts.deciding) for one in wanted)
    return next(filter(None, reasons), "")


def _withdraw(facts: Facts) -> str:
    request, scope = facts.request, facts.scope
    if facts.closed:
        return facts.closed
    if request.author_user_id == scope.user.pk:
        return ""
    if scope.may["environment_configure"]:
        return ""
    others = _holders(scope, Permission.ENVIRONMENT_CONFIGURE, [])
    why = _("Only the requester, or people who configure environments, can withdraw it: {people}.")
    return why.format(people=_whom([request.author, *others]))


def _by_another(scope: Scope, deciding: list[Environment]) -> str:
    others = [name for name in _holders(scope, APPROVE, deciding) if name != scope.user.username]
    why = _("You broke glass, so somebody else has to review it: {people}.")
    return why.format(people=_whom(others))


def _permitted(scope: Scope, permission: Permission, places: list[Environment]) -> str:
    if all(scope.allows(permission, place) for place in places):
        return ""
    return _lacking(permission, _holders(scope, permission, places))


def _lacking(permission: Permission, people: Iterable[str]) -> str:
    why = _("This needs the permission “{permission}”. Ask {people}.")
    return why.format(permission=permission.label, people=_whom(people))


def _holders(scope: Scope, permission: Permission, places: list[Environment]) -> list[str]:
    wanted: list[Environment | None] = [*places] or [None]
    everywhere = [
        {person.username for person in access.holders_of(scope.project, permission, place)}
        for place in wanted
    ]
    return sorted(set.intersection(*everywhere))


def _whom(people: Iterable[str]) -> str:
    """“erin or frank”; an admin of the project where there is nobody."""
    *first, last = list(dict.fromkeys(people)) or [_("an admin of the project")]
    return _("{first} or {last}").format(first=", ".join(first), last=last) if first else last
