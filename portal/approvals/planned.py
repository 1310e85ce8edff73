"""What passes the gate because a plan says so.

A plan is not believed either. Whoever keeps it is asked whether it is alive, this step of it due,
and the change what it says. Where a policy wants others to agree, the request about exactly this
plan must have been applied, and its votes are counted anew by the roles of this moment; where that
is not enough, a request for this one change is opened instead. Where no policy asks, the author
must be somebody who may make the change now.
"""

from dataclasses import replace
from datetime import datetime

from django.utils.translation import gettext as _

from portal.approvals import handlers, reverting, selectors
from portal.approvals.authors import require_author, require_still
from portal.approvals.changes import Change
from portal.approvals.errors import ApprovalRequired
from portal.approvals.models import State
from portal.approvals.overriding import freezes_stopping, pass_freezes
from portal.lib.errors import Invalid
from portal.lib.journal import PLAIN, Agreed, Intent, Step


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
    reverting.require_untouched(change)
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
    return all(one.standing.is_satisfied for one in assessments)
