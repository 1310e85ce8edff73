"""Applying what was agreed to, through the same services as everything else."""

from dataclasses import replace

from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import authority, outbox
from portal.access.models import User
from portal.access.permissions import Permission
from portal.approvals import handlers, selectors
from portal.approvals.authors import author_of
from portal.approvals.errors import Closed
from portal.approvals.handlers import Wanted
from portal.approvals.models import ChangeRequest
from portal.approvals.services.requests import lock_request
from portal.lib.errors import Conflict, Forbidden
from portal.lib.journal import Actor, Intent, WriteOptions


@transaction.atomic
def apply_request(
    *, request: ChangeRequest, intent: Intent, override_freeze: bool = False
) -> ChangeRequest:
    """Apply a request now; ``reason`` says why a freeze is overridden for it.

    Raises Forbidden without ``change_request.apply`` in each environment, NotApproved with what is
    missing, Conflict with both sides where the subject changed meanwhile, Closed where it is
    decided, Barred where its author may no longer want it, Frozen while a freeze is in force.
    """
    locked = _lock(request)
    _require_apply(locked, intent.actor)
    why = intent.reason.strip()
    options = WriteOptions(locked.pk, override_freeze=override_freeze, override_reason=why)
    return _apply(locked, replace(intent, options=options))


@transaction.atomic
def apply_as_asked(*, request: ChangeRequest, intent: Intent) -> ChangeRequest:
    """Apply a request because its author asked for that as soon as it is approved.

    Either of them must be somebody who may apply it: raises Forbidden where neither is.
    """
    locked = _lock(request)
    try:
        _require_apply(locked, author_of(locked))
    except Forbidden:
        _require_apply(locked, intent.actor)
    return _apply(locked, replace(intent, options=WriteOptions(agreement=locked.pk)))


def _lock(request: ChangeRequest) -> ChangeRequest:
    """An open request, under the lock of who may do what.

    No role of a voter goes away while it is applied, and nobody's account is closed.
    """
    outbox.lock_people(request.project)
    locked = lock_request(request.project, request.pk)
    if not locked.is_open:
        raise Closed(locked)
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


def _apply(locked: ChangeRequest, intent: Intent) -> ChangeRequest:
    intent = replace(intent, reason=locked.reason)
    handlers.apply(locked, Wanted(locked.after, locked.base_version, intent))
    locked.refresh_from_db()
    if locked.is_open:  # the service found nothing to change, and so never came to the gate
        raise Conflict(
            _("Already up to date: nothing is left to change. Withdraw the request."),
            current=handlers.find_asked(locked).now().document,
            yours=locked.after,
        )
    return locked
