"""The gate that every change passes: who may, and who agreed.

A service computes the change it is about to make, under the locks it makes it under, and asks here.
What it is told, a change request or an emergency, is not believed but looked up: the request must
be open, about exactly this change, and approved by people who may approve it at this moment.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from portal.access import authority
from portal.access.models import Environment, Project, User
from portal.access.permissions import Permission
from portal.approvals import emergencies, handlers, notifications, selectors
from portal.approvals.authors import require_author, require_still
from portal.approvals.changes import Change, GateResult, content_sha256, same_document
from portal.approvals.descriptions import missing_in
from portal.approvals.errors import (
    ApprovalRequired,
    Closed,
    NoSuchRequest,
    NotApproved,
    OutOfReach,
)
from portal.approvals.freezes.selectors import freezes_stopping, outside, pass_freezes
from portal.approvals.models import ChangeRequest, Emergency, Policy, State
from portal.lib import clock
from portal.lib.errors import Conflict, Forbidden, Invalid, checked_text
from portal.lib.journal import PLAIN, ActorKind, Agreed, Intent, Step


def require(
    intent: Intent,
    permission: Permission,
    *,
    project: Project,
    environment: Environment | None = None,
) -> None:
    """Raise Forbidden unless the actor holds the permission.

    Who carries out what others agreed to, or what a plan says, needs none of their own: the gate
    asks for the author's.
    """
    if intent.options.is_own:
        authority.require(intent.actor, permission, project=project, environment=environment)


def require_in_each(
    intent: Intent, permission: Permission, *, environments: Iterable[Environment], project: Project
) -> None:
    """Raise OutOfReach, naming them, where a key lacks the permission in some environments.

    For what several environments share, in those of them that it changes. A person holds in each
    of them what they hold in the project, and that was asked for already.
    """
    if intent.actor.kind is not ActorKind.KEY or not intent.options.is_own:
        return
    beyond = [
        one
        for one in environments
        if permission not in authority.permissions_of(intent.actor, project, one)
    ]
    if beyond:
        raise OutOfReach(permission, [one.key for one in beyond])


def check(change: Change, intent: Intent) -> GateResult:
    """Let a change pass, or say why not. Inside the change's transaction, its rows locked.

    Raises ApprovalRequired where a policy wants others to agree first, NotApproved, Closed or
    Conflict where the given agreement does not allow exactly this, Frozen where a freeze is in
    force, Forbidden or Invalid where that may not be overridden or glass may not be broken.
    Asking for approval is free in a freeze, and an emergency breaks it where it breaks the glass.
    What no environment notices passes.
    """
    if not change.environments:
        return GateResult(intent)
    if intent.options.undoing is not None:
        return _by_undoing(change, intent.options.undoing, intent)
    # Judged at this moment: what was given to voters while the write waited for its locks counts.
    reason = checked_text(intent.reason, "reason")
    judged = replace(intent, reason=reason, at=clock.database_now())
    result, emergency = _let_pass(change, judged)
    emergencies.note(change, emergency)
    return replace(result, intent=replace(result.intent, at=intent.at))


def _let_pass(change: Change, intent: Intent) -> tuple[GateResult, Emergency | None]:
    """How a change passes, and the emergency that it passes as, where glass is broken for it."""
    options = intent.options
    if options.step is not None:
        return GateResult(pass_step(change, options.step, intent)), None
    frozen = freezes_stopping(change, intent.at)
    if options.agreement is not None:
        result = _by_agreement(change, options.agreement, intent)
        why = checked_text(options.override_reason, "reason")
        pass_freezes(change, frozen, replace(intent, reason=why))
        return result, None
    policies = selectors.policies_wanting(change.environments, turns_off=change.turns_off)
    wanting = [policy.environment for policy in policies]
    if policies and not options.break_glass:
        raise ApprovalRequired(change, wanting, intent)
    left = outside(frozen, wanting)
    pass_freezes(change, left, intent)
    if not policies:
        return GateResult(intent), None
    broken = [one.freeze.name for one in frozen if one not in left]
    return _by_break_glass(change, policies, intent, freezes=broken)


def _by_agreement(change: Change, pk: int, intent: Intent) -> GateResult:
    requests = change.project.change_requests.select_for_update(no_key=True)
    request = requests.filter(pk=pk).first()
    if request is None:
        raise NoSuchRequest(pk)
    if not request.is_open:
        raise Closed(request)
    if request.digest != change.digest:
        raise Conflict(
            _("What was approved is no longer what would happen: it was changed meanwhile."),
            current=dict(change.before),
            yours=dict(request.after),
        )
    require_author(request)
    assessments = selectors.assess_request(request, now=intent.at)
    missing = missing_in(request, assessments)
    if missing:
        raise NotApproved(missing)
    _close(request, intent)
    request.save(update_fields=["state", "closed_at", "closed_by"])
    votes = selectors.counted_votes(request, assessments)
    roles = [{"person": vote.user.username, "roles": vote.names} for vote in votes]
    after = {"digest": request.digest, "approved_by": roles}
    agreed = request.agreed_by(votes)
    replace(intent, reason="", agreed=agreed).record("change_request.applied", request, after=after)
    notifications.tell_applied(request)
    reason = f"{request.reason} (change request {request.pk})".strip()
    return GateResult(replace(intent, reason=reason, agreed=agreed), request)


def _by_undoing(change: Change, pk: int, intent: Intent) -> GateResult:
    """Back to what was agreed to, as the gate finds it from its own records and the locked row."""
    made = Emergency.objects.select_for_update(of=("self",), no_key=True).select_related(
        "request__project"
    )
    emergency = made.filter(pk=pk).first()
    if (
        emergency is None
        or not emergency.is_running
        or not _is_about(change, emergency.request)
        or not same_document(
            emergencies.state_without(emergency, change.before).document, change.after
        )
    ):
        raise Invalid({"": _("This does not revert an emergency change.")})
    emergencies.note(change, emergency, is_ending=True)
    reason = f"takes back the emergency change {emergency.request.pk}"
    return GateResult(replace(intent, reason=reason))


def _is_about(change: Change, request: ChangeRequest) -> bool:
    """The same thing in the same places; what all share may be in more places by now."""
    places = set(request.environments.values_list("pk", flat=True))
    return (
        (request.kind, request.subject) == (change.kind, change.subject)
        and request.project_id == change.project.pk
        and places <= {environment.pk for environment in change.environments}
    )


def _by_break_glass(
    change: Change, policies: list[Policy], intent: Intent, *, freezes: list[str]
) -> tuple[GateResult, Emergency]:
    user = authority.user_of(intent.actor)
    if not change.serves or user is None:
        raise Forbidden(_("break glass"))
    if not change.before:
        raise Invalid(
            {"": _("This cannot revert automatically, so you cannot break glass for it.")}
        )
    reason = intent.reason.strip()
    if not reason:
        raise Invalid({"reason": _("Say what the emergency is; it is kept in the history.")})
    _require_break_glass(user, change.project, policies)
    request = _file_emergency(change, user, intent)
    minutes = min(policy.break_glass_minutes for policy in policies)
    emergency = Emergency.objects.create(
        request=request,
        actor=intent.actor.label,
        actor_user=user,
        reason=reason,
        at=intent.at,
        reverts_at=intent.at + timedelta(minutes=minutes),
    )
    after: dict[str, object] = {
        "reverts_at": emergency.reverts_at.isoformat(),
        "change": list(change.words),
        "content_sha256": content_sha256(request),
        "owner": user.username,
    }
    if freezes:
        after["freezes"] = freezes
    intent.record("break_glass.used", request, after=after)
    notifications.tell_break_glass(emergency)
    reason = f"{reason} (emergency change {request.pk})"
    passed = replace(intent, reason=reason, agreed=Agreed(request.pk))
    return GateResult(passed, request), emergency


def _require_break_glass(user: User, project: Project, policies: list[Policy]) -> None:
    assignments = authority.role_assignments_of(user, project)
    for policy in policies:
        if not assignments.names_in(policy.environment_id) & set(policy.break_glass):
            raise Forbidden(_("break glass in {place}").format(place=policy.environment.key))


def _file_emergency(change: Change, user: User, intent: Intent) -> ChangeRequest:
    request = new_request(change, intent, author_user=user)
    _close(request, intent)
    request.save()
    request.environments.set(change.environments)
    return request


def _close(request: ChangeRequest, intent: Intent) -> None:
    request.state, request.closed_at = State.APPLIED, intent.at
    request.closed_by = intent.actor.label


def new_request(change: Change, intent: Intent, *, author_user: User | None) -> ChangeRequest:
    request = ChangeRequest(
        project=change.project,
        author_kind=str(intent.actor.kind),
        author_id_text=intent.actor.id,
        author=intent.actor.label,
        author_user=author_user,
        created_at=intent.at,
        reason=intent.reason.strip(),
    )
    fill_request(request, change, intent.at)
    return request


def fill_request(request: ChangeRequest, change: Change, moment: datetime) -> None:
    request.kind, request.title = change.kind, change.title[:300]
    request.subject_kind, request.subject = change.subject_kind, change.subject
    request.base_version = change.base_version
    request.before, request.after = dict(change.before), dict(change.after)
    request.words = list(change.words)
    request.permissions = [str(permission) for permission in change.permissions]
    request.turns_off, request.serves = change.turns_off, change.serves
    request.artefact, request.digest = change.artefact, change.digest
    request.revised_at = moment


def pass_step(change: Change, step: Step, intent: Intent) -> Intent:
    """Let a step of a plan pass; returns the intent with what the history says of it: the reason,
    who made the plan, who agreed to it.

    Raises Invalid where no plan says so, Barred where its author may no longer want it,
    ApprovalRequired where a policy wants more than what was agreed to, Frozen in a freeze, unless
    it was agreed that the plan goes on in one, EmergencyRunning where it would build on an
    emergency change. What goes back to what was agreed to before always passes.
    """
    due = handlers.due_step(step, change, at=intent.at)
    if due is None:
        raise Invalid({"": _("No plan says that this happens now.")})
    if due.goes_back:
        return intent
    places = list(change.environments)
    needed = change.permissions if due.permissions is None else due.permissions
    require_still(due.author, needed, project=change.project, places=places)
    policies = selectors.policies_wanting(places, turns_off=change.turns_off)
    if policies and not is_agreed(due.plan, due.agreement, moment=intent.at):
        wanting = [policy.environment for policy in policies]
        asked = replace(intent, actor=due.author, options=PLAIN)
        raise ApprovalRequired(change, wanting, asked)
    emergencies.require_untouched(change)
    frozen = freezes_stopping(change, intent.at)
    stopping = [one for one in frozen if one.freeze.stops_line or not due.passes_freezes]
    pass_freezes(change, stopping, replace(intent, options=PLAIN))
    if due.agreement is None:
        return replace(intent, agreed=Agreed(requested_by=due.author.label))
    request = change.project.change_requests.get(pk=due.agreement)
    reason = f"{intent.reason} (change request {request.pk})"
    assessments = selectors.assess_request(request, now=intent.at)
    agreed = request.agreed_by(selectors.counted_votes(request, assessments))
    return replace(intent, reason=reason, agreed=agreed)


def is_agreed(plan: Change, agreement: int | None, *, moment: datetime) -> bool:
    """Whether a request about exactly this plan was applied, and would be again: by who may want it
    now, and by the roles that its voters hold now."""
    requests = plan.project.change_requests.select_for_update(no_key=True)
    request = requests.filter(pk=agreement or 0, state=State.APPLIED).first()
    if request is None or (request.kind, request.digest) != (plan.kind, plan.digest):
        return False
    require_author(request)
    assessments = selectors.assess_request(request, now=moment)
    return all(one.status.is_satisfied for one in assessments)
