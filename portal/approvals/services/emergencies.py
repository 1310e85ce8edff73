"""What follows when glass was broken: confirming, taking back, and the compulsory review."""

import logging
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import authority
from portal.access.permissions import Permission
from portal.approvals import kinds, oneness, selectors
from portal.approvals.changes import Terms, same_document
from portal.approvals.errors import Barred
from portal.approvals.models import Emergency
from portal.approvals.recording import record_request
from portal.approvals.services.requests import require_person
from portal.lib import clock, journal
from portal.lib.errors import AviaryError, Invalid, checked_text
from portal.lib.journal import Actor

logger = logging.getLogger(__name__)
CLOCK = journal.system("emergency clock")


@transaction.atomic
def confirm_emergency(*, emergency: Emergency, actor: Actor, now: datetime) -> Emergency:
    """Let an emergency change stay. Somebody else than who made it, who may approve changes.

    Raises Barred, Forbidden, Invalid where its time has run out.
    """
    locked = _lock(emergency)
    _require_two(locked, actor)
    if not locked.is_running:
        raise Invalid({"": _("This emergency change does not run any more.")})
    locked.confirmed_at, locked.confirmed_by = clock.database_now(), actor.label
    locked.save(update_fields=["confirmed_at", "confirmed_by"])
    record_request("break_glass.confirmed", locked.request, actor)
    return locked


@transaction.atomic
def review_emergency(*, emergency: Emergency, text: str, actor: Actor, now: datetime) -> Emergency:
    """Write the compulsory review. Raises Barred, Forbidden; Invalid for an empty or second one."""
    locked = _lock(emergency)
    _require_two(locked, actor)
    text = checked_text(text, "text")
    if not text:
        raise Invalid({"text": _("Write what happened and whether it was right.")})
    if locked.is_reviewed:
        raise Invalid({"": _("{person} has reviewed this.").format(person=locked.reviewed_by)})
    locked.review, locked.reviewed_by = text, actor.label
    locked.reviewed_at = clock.database_now()
    locked.save(update_fields=["review", "reviewed_by", "reviewed_at"])
    record_request("break_glass.reviewed", locked.request, actor, after={"review": locked.review})
    return locked


@transaction.atomic
def revert_emergency(*, emergency: Emergency, actor: Actor, now: datetime) -> Emergency:
    """Take an emergency change back before its time: who made it, or who may approve changes."""
    locked = _lock(emergency)
    if locked.actor_user_id is None or str(locked.actor_user_id) != actor.id:
        _require_another(locked, actor)
    if not locked.is_running:
        raise Invalid({"": _("This emergency change does not run any more.")})
    return _take_back(locked, actor, now)


def revert_due(*, now: datetime) -> int:
    """Take back every emergency change whose time has run out; returns how many were looked at.

    Any number of workers may do this at once: each change is claimed by its lock.
    """
    moment = clock.database_now()
    running = Emergency.objects.filter(
        confirmed_at=None, reverted_at=None, superseded_at=None, reverts_at__lte=moment
    )
    due = list(running.values_list("pk", flat=True))
    for pk in due:
        try:
            _revert_one(pk, now)
        except Exception:  # the others are due as well; this one stays due, and is tried again
            logger.exception("emergency %s could not be taken back", pk)
    return len(due)


@transaction.atomic
def _revert_one(pk: int, now: datetime) -> None:
    locked = _lock(Emergency(pk=pk))
    if locked.is_running and locked.reverts_at <= clock.database_now():
        _take_back(locked, CLOCK, now)


def _take_back(emergency: Emergency, actor: Actor, now: datetime) -> Emergency:
    """Make the subject what it was before, unless it is something else again by now."""
    request = emergency.request
    kind = kinds.kind_of(request)
    current = kind.current(request)
    if not same_document(current.document, request.after):
        return _superseded(emergency, actor, _("It has been changed again since."))
    try:
        with transaction.atomic():
            kind.apply(
                request,
                document=request.before,
                base_version=current.version,
                actor=actor,
                now=now,
                reason=emergency.reason,
                terms=Terms(undoing=emergency.pk),
            )
    except AviaryError as error:
        return _superseded(emergency, actor, str(error))
    emergency.reverted_at = clock.database_now()
    emergency.save(update_fields=["reverted_at"])
    record_request("break_glass.reverted", request, actor)
    return emergency


def _superseded(emergency: Emergency, actor: Actor, why: str) -> Emergency:
    emergency.superseded_at = clock.database_now()
    emergency.save(update_fields=["superseded_at"])
    record_request("break_glass.not_reverted", emergency.request, actor, reason=why)
    return emergency


def _lock(emergency: Emergency) -> Emergency:
    found = Emergency.objects.select_for_update(of=("self",), no_key=True)
    return found.select_related("request__project").get(pk=emergency.pk)


def _require_another(emergency: Emergency, actor: Actor) -> None:
    user = require_person(actor)
    request = emergency.request
    if emergency.actor_user_id == user.pk:
        raise Barred(_("You broke the glass, so somebody else has to look at it."))
    for environment in selectors.deciding_environments(request):
        authority.require(
            actor,
            Permission.CHANGE_REQUEST_APPROVE,
            project=request.project,
            environment=environment,
        )


def _require_two(emergency: Emergency, actor: Actor) -> None:
    """Another person, who does not count as one with who broke the glass."""
    _require_another(emergency, actor)
    user, moment = require_person(actor), clock.database_now()
    why = oneness.of_two(emergency.actor_user_id, user.pk, emergency.request, now=moment)
    if why:
        raise Barred(why)
