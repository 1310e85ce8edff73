"""The gate that every change passes: who may, and who agreed.

A service computes the change it is about to make, under the locks it makes it under, and asks here.
What it is told, a change request or an emergency, is not believed but looked up: the request must
be open, about exactly this change, and approved by people who may approve it at this moment.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from portal.access import authority
from portal.access.models import Environment, Project, User
from portal.access.permissions import Permission
from portal.approvals import planned, reverting, selectors, telling
from portal.approvals.authors import require_author
from portal.approvals.changes import Change, Terms, same_document
from portal.approvals.errors import (
    ApprovalRequired,
    Closed,
    NoSuchRequest,
    NotApproved,
    OutOfReach,
)
from portal.approvals.models import ChangeRequest, Emergency, Policy, State, Verdict
from portal.approvals.overriding import freezes_stopping, outside, pass_freezes
from portal.approvals.recording import content_sha256, environment_key, record_request
from portal.approvals.wording import missing_in
from portal.lib import clock
from portal.lib.errors import Conflict, Forbidden, Invalid, checked_text
from portal.lib.journal import Actor, ActorKind


@dataclass(frozen=True, slots=True)
class Passage:
    """The gate is open. ``reason`` is what the history says about why."""

    reason: str


def require(
    actor: Actor,
    permission: Permission,
    *,
    project: Project,
    terms: Terms,
    environment: Environment | None = None,
) -> None:
    """Raise Forbidden unless the actor holds the permission.

    Who carries out what others agreed to, or what a plan says, needs none of their own: the gate
    asks for the author's.
    """
    if _is_own(terms):
        authority.require(actor, permission, project=project, environment=environment)


def require_in_each(
    actor: Actor,
    permission: Permission,
    *,
    environments: Iterable[Environment],
    project: Project,
    terms: Terms,
) -> None:
    """Raise OutOfReach, naming them, where a key lacks the permission in some environments.

    For what several environments share, in those of them that it changes. A person holds in each
    of them what they hold in the project, and that was asked for already.
    """
    if actor.kind is not ActorKind.KEY or not _is_own(terms):
        return
    beyond = [
        one
        for one in environments
        if permission not in authority.permissions_of(actor, project, one)
    ]
    if beyond:
        raise OutOfReach(permission, [one.key for one in beyond])


def _is_own(terms: Terms) -> bool:
    """Whether the actor wants the change, and does not carry out what others answer for."""
    return terms.agreement is None and terms.undoing is None and terms.step is None


def pass_through(
    change: Change, *, actor: Actor, now: datetime, reason: str, terms: Terms
) -> Passage:
    """Let a change pass, or say why not. Inside the change's transaction, its rows locked.

    Raises ApprovalRequired where a policy wants others to agree first, NotApproved, Closed or
    Conflict where the given agreement does not allow exactly this, Frozen where a freeze is in
    force, Forbidden or Invalid where that may not be overridden or glass may not be broken.
    Asking for approval is free in a freeze, and an emergency breaks it where it breaks the glass.
    """
    if terms.undoing is not None:
        return _by_undoing(change, terms.undoing)
    passage, emergency = _let_pass(change, actor=actor, now=now, reason=reason, terms=terms)
    reverting.note(change, emergency)
    return passage


def _let_pass(
    change: Change, *, actor: Actor, now: datetime, reason: str, terms: Terms
) -> tuple[Passage, Emergency | None]:
    """How a change passes, and the emergency that it passes as, where glass is broken for it."""
    moment, reason = clock.database_now(), checked_text(reason, "reason")
    if terms.step is not None:
        said = planned.pass_step(change, terms.step, actor=actor, now=now, reason=reason)
        return Passage(said), None
    frozen = freezes_stopping(change, moment)
    override = terms.override_freeze
    if terms.agreement is not None:
        passage = _by_agreement(change, terms.agreement, actor=actor, moment=moment)
        why = checked_text(terms.override_reason, "reason")
        pass_freezes(change, frozen, actor=actor, reason=why, override=override)
        return passage, None
    policies = selectors.policies_wanting(change.environments, turns_off=change.turns_off)
    wanting = [policy.environment for policy in policies]
    if policies and not terms.break_glass:
        raise ApprovalRequired(change, wanting, actor=actor, now=now, reason=reason, terms=terms)
    left = outside(frozen, wanting)
    pass_freezes(change, left, actor=actor, reason=reason, override=override)
    if not policies:
        return Passage(reason), None
    broken = [one.freeze.name for one in frozen if one not in left]
    return _by_breaking_glass(
        change, policies, actor=actor, moment=moment, reason=reason, freezes=broken
    )


def _by_agreement(change: Change, pk: int, *, actor: Actor, moment: datetime) -> Passage:
    request = ChangeRequest.objects.select_for_update(no_key=True).filter(pk=pk).first()
    if request is None or request.project_id != change.project.pk:
        raise NoSuchRequest(pk)
    request.project = change.project
    if not request.is_open:
        raise Closed(request)
    if request.digest != change.digest:
        raise Conflict(
            _("What was agreed to is no longer what would happen: it was changed meanwhile."),
            current=dict(change.before),
            yours=dict(request.after),
        )
    require_author(request)
    missing = missing_in(request, selectors.assess_request(request, now=moment))
    if missing:
        raise NotApproved(missing)
    request.state, request.closed_at, request.closed_by = State.APPLIED, moment, actor.label
    request.save(update_fields=["state", "closed_at", "closed_by"])
    votes = request.votes.filter(verdict=Verdict.APPROVE).select_related("user")
    agreed = [{"person": vote.user.username, "roles": vote.names} for vote in votes]
    after = {"digest": request.digest, "approved_by": agreed}
    record_request("change_request.applied", request, actor, after=after)
    telling.tell_applied(request)
    return Passage(_with_number(request))


def _with_number(request: ChangeRequest) -> str:
    return f"{request.reason} (change request {request.pk})".strip()


def _by_undoing(change: Change, pk: int) -> Passage:
    """Back to what was agreed to, as the gate finds it from its own records and the locked row."""
    emergencies = Emergency.objects.select_for_update(of=("self",), no_key=True).select_related(
        "request__project"
    )
    emergency = emergencies.filter(pk=pk).first()
    if (
        emergency is None
        or not emergency.is_running
        or not _is_about(change, emergency.request)
        or not same_document(
            reverting.state_without(emergency, change.before).document, change.after
        )
    ):
        raise Invalid({"": _("This does not take back an emergency change.")})
    reverting.note(change, emergency, is_ending=True)
    return Passage(f"takes back the emergency change {emergency.request.pk}")


def _is_about(change: Change, request: ChangeRequest) -> bool:
    """The same thing in the same places; what all share may be in more places by now."""
    places = set(request.environments.values_list("pk", flat=True))
    return (
        (request.kind, request.subject) == (change.kind, change.subject)
        and request.project_id == change.project.pk
        and places <= {environment.pk for environment in change.environments}
    )


def _by_breaking_glass(
    change: Change,
    policies: list[Policy],
    *,
    actor: Actor,
    moment: datetime,
    reason: str,
    freezes: list[str],
) -> tuple[Passage, Emergency]:
    user = authority.user_of(actor)
    if not change.serves or user is None:
        raise Forbidden(_("break glass"))
    if not change.before:
        raise Invalid(
            {"": _("This cannot be taken back by itself, so glass is not broken for it.")}
        )
    if not reason.strip():
        raise Invalid({"reason": _("Say what the emergency is; it is kept in the history.")})
    _require_glass(user, change.project, policies)
    request = _file_emergency(change, actor, user, moment, reason)
    minutes = min(policy.break_glass_minutes for policy in policies)
    emergency = Emergency.objects.create(
        request=request,
        actor=actor.label,
        actor_user=user,
        reason=reason.strip(),
        at=moment,
        reverts_at=moment + timedelta(minutes=minutes),
    )
    after: dict[str, object] = {
        "reverts_at": emergency.reverts_at.isoformat(),
        "change": list(change.words),
        "content_sha256": content_sha256(request),
        "owner": user.username,
    }
    if freezes:
        after["freezes"] = freezes
    record_request("break_glass.used", request, actor, after=after, reason=reason)
    telling.tell_broken_glass(emergency)
    return Passage(f"{reason.strip()} (emergency change {request.pk})"), emergency


def _require_glass(user: User, project: Project, policies: list[Policy]) -> None:
    holdings = authority.holdings_of(user, project)
    for policy in policies:
        if not holdings.names_in(policy.environment_id) & set(policy.break_glass):
            raise Forbidden(
                _("break glass in {place}").format(place=environment_key([policy.environment]))
            )


def _file_emergency(
    change: Change, actor: Actor, user: User, moment: datetime, reason: str
) -> ChangeRequest:
    """The emergency's own request, applied from the start."""
    request = new_request(change, actor=actor, author_user=user, moment=moment, reason=reason)
    request.state, request.closed_at, request.closed_by = State.APPLIED, moment, actor.label
    request.save()
    request.environments.set(change.environments)
    return request


def new_request(
    change: Change, *, actor: Actor, author_user: User | None, moment: datetime, reason: str
) -> ChangeRequest:
    """A request for a change, not saved yet."""
    request = ChangeRequest(
        project=change.project,
        author_kind=str(actor.kind),
        author_id_text=actor.id,
        author=actor.label,
        author_user=author_user,
        created_at=moment,
        reason=reason.strip(),
    )
    fill_request(request, change, moment)
    return request


def fill_request(request: ChangeRequest, change: Change, moment: datetime) -> None:
    """Give a request its content."""
    request.kind, request.title = change.kind, change.title[:300]
    request.subject_kind, request.subject = change.subject_kind, change.subject
    request.base_version = change.base_version
    request.before, request.after = dict(change.before), dict(change.after)
    request.words = list(change.words)
    request.permissions = [str(permission) for permission in change.permissions]
    request.turns_off, request.serves = change.turns_off, change.serves
    request.artefact, request.digest = change.artefact, change.digest
    request.revised_at = moment
