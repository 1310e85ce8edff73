"""Answering for what a key or a command asked for that nobody answers for."""

from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import authority, outbox
from portal.access.permissions import Permission
from portal.approvals import selectors
from portal.approvals.errors import Closed
from portal.approvals.models import ChangeRequest
from portal.approvals.services.requests import lock_request, require_person
from portal.approvals.services.votes import Voted, apply_if_approved
from portal.lib.errors import Invalid
from portal.lib.journal import Intent


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
    locked = lock_request(request.project, request.pk)
    if not locked.is_open:
        raise Closed(locked)
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
