"""Asking for the same again where the thing was changed meanwhile."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import outbox
from portal.approvals import kinds
from portal.approvals.changes import Terms
from portal.approvals.errors import Closed, Edited, Waiting
from portal.approvals.models import ChangeRequest
from portal.approvals.services.requests import lock_request
from portal.lib.errors import Invalid
from portal.lib.journal import Actor


@transaction.atomic
def renew_request(
    *, request: ChangeRequest, seen_digest: str, actor: Actor, now: datetime
) -> ChangeRequest:
    """File what a request asks for once more, on what the thing is now: an edit, as any other.

    Raises Forbidden for who may not want the change, Closed where it is decided, Edited where it
    asks for something else by now; Invalid where nothing is left to change, or to approve.
    """
    outbox.lock_people(request.project)
    locked = lock_request(request.project, request.pk)
    if not locked.is_open:
        raise Closed(locked)
    if locked.digest != seen_digest:
        raise Edited
    kind = kinds.kind_of(locked)
    current = kind.current(locked)
    if current.version == locked.base_version:
        raise Invalid({"": _("This request is up to date already.")})
    if current.document == locked.after:
        raise Invalid({"": _("It is so already: nothing is left to change. Withdraw the request.")})
    try:
        kind.apply(
            locked,
            document=locked.after,
            base_version=current.version,
            actor=actor,
            now=now,
            reason=locked.reason,
            terms=Terms(revise=locked.pk, apply_when_approved=locked.apply_when_approved),
        )
    except Waiting as waiting:
        return waiting.request
    # It went through: no policy asks for approval any more. Raising takes that back.
    raise Invalid(
        {"": _("Nobody has to approve this any more. Withdraw the request and make the change.")}
    )
