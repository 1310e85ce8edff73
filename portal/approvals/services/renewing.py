"""Asking for the same again where the thing was changed meanwhile."""

from dataclasses import replace

from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import outbox
from portal.approvals import handlers
from portal.approvals.changes import same_document
from portal.approvals.errors import ApprovalRequired, Closed, Edited, Waiting
from portal.approvals.handlers import Wanted
from portal.approvals.models import ChangeRequest
from portal.approvals.services.requests import file_request, lock_request
from portal.lib.errors import Invalid
from portal.lib.journal import Intent, WriteOptions
from portal.lib.merging import Side


@transaction.atomic
def renew_request(
    *, request: ChangeRequest, seen_digest: str, intent: Intent, prefer: Side | None = None
) -> ChangeRequest:
    """File what a request asks for on top of what the thing is now: an edit, as any other.

    What others changed meanwhile stays. ``prefer`` says whose stands where both changed the same:
    the request's (mine) or what is there now (theirs). Raises Forbidden for who may not want the
    change, Closed where it is decided, Edited where it asks for something else by now; Invalid
    where both changed the same and nobody chose, and where nothing is left to change, or to
    approve.
    """
    outbox.lock_people(request.project)
    locked = lock_request(request.project, request.pk)
    if not locked.is_open:
        raise Closed(locked)
    if locked.digest != seen_digest:
        raise Edited
    found = handlers.find_asked(locked)
    current = found.now()
    if not found.has_moved(current):
        raise Invalid({"": _("This request is up to date already.")})
    merged = found.up_to_date(current, prefer or Side.MINE)
    if merged.clashes and prefer is None:
        text = _("Both changed the same; choose which of the two to keep: {what}.")
        raise Invalid({"prefer": text.format(what=", ".join(merged.clashes))})
    if same_document(merged.document, current.document):
        raise Invalid(
            {"": _("Already up to date: nothing is left to change. Withdraw the request.")}
        )
    options = WriteOptions(revise=locked.pk, apply_when_approved=locked.apply_when_approved)
    asking = replace(intent, reason=locked.reason, options=options)
    try:
        found.apply(Wanted(merged.document, current.version, asking))
    except Waiting as waiting:
        return waiting.request
    except ApprovalRequired as needed:
        return file_request(needed)
    # It went through: no policy asks for approval any more. Raising takes that back.
    raise Invalid(
        {"": _("This no longer needs approval. Withdraw the request and make the change.")}
    )
