from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from portal.access import authority, outbox
from portal.access.permissions import Permission
from portal.approvals import approval_progress, emergencies, handlers, notifications, selectors
from portal.approvals.changes import same_document
from portal.approvals.errors import Barred
from portal.approvals.handlers import Wanted
from portal.approvals.models import Emergency
from portal.approvals.services.requests import require_person
from portal.lib import clock, journal
from portal.lib.errors import AviaryError, Invalid, checked_text
from portal.lib.journal import Actor, Intent, WriteOptions
from portal.runs.runner import Runner

CLOCK = journal.system("emergency clock")


@transaction.atomic
def confirm_emergency(*, emergency: Emergency, intent: Intent) -> Emergency:
    """Let an emergency change stay. Somebody else than who made it, who may approve changes.

    Raises Barred, Forbidden, Invalid where its time has run out.
    """
    locked = _lock(emergency)
    _require_two(locked, intent)
    if not locked.is_running:
        raise Invalid({"": _("This emergency change is no longer running.")})
    locked.confirmed_at, locked.confirmed_by = intent.at, intent.actor.label
    locked.save(update_fields=["confirmed_at", "confirmed_by"])
    emergencies.forget(locked)
    intent.record("break_glass.confirmed", locked.request)
    return locked


@transaction.atomic
def review_emergency(*, emergency: Emergency, text: str, intent: Intent) -> Emergency:
    """Write the compulsory review. Raises Barred, Forbidden; Invalid for an empty or second one."""
    locked = _lock(emergency)
    _require_two(locked, intent)
    text = checked_text(text, "text")
    if not text:
        raise Invalid({"text": _("Write what happened and whether it was right.")})
    if locked.is_reviewed:
        raise Invalid({"": _("{person} has reviewed this.").format(person=locked.reviewed_by)})
    locked.review, locked.reviewed_by = text, intent.actor.label
    locked.reviewed_at = intent.at
    locked.save(update_fields=["review", "reviewed_by", "reviewed_at"])
    intent.record("break_glass.reviewed", locked.request, after={"review": locked.review})
    return locked


@transaction.atomic
def revert_emergency(*, emergency: Emergency, intent: Intent) -> Emergency:
    """Take an emergency change back before its time: who made it, or who may approve changes.

    Raises Barred, Forbidden; Invalid where it has ended, or what it goes back to is not possible
    any more.
    """
    locked = _lock_with_subject(emergency)
    if locked.actor_user_id is None or str(locked.actor_user_id) != intent.actor.id:
        _require_another(locked, intent.actor)
    if not locked.is_running:
        raise Invalid({"": _("This emergency change is no longer running.")})
    return _take_back(locked, intent)


def revert_due() -> int:
    """Take back every emergency change whose time has run out; returns how many those were."""
    return EmergencyRunner().look()


class EmergencyRunner(Runner[Emergency]):
    """The ends of emergencies. What they go back to may not be possible now: they wait for that,
    for ever, and say so."""

    holding = (AviaryError,)
    gives_up = False

    def due(self, at: datetime) -> QuerySet[Emergency]:
        return emergencies.running().filter(reverts_at__lte=at)

    def find(self, at: datetime) -> list[Emergency]:
        return list(self.free(at).select_related("request__project"))

    def lock(self, seen: Emergency) -> Emergency:
        return _lock_with_subject(seen)

    def carry_out(self, work: Emergency, at: datetime, answer: object) -> None:
        _take_back(work, Intent(CLOCK, at=at))

    def tell(self, work: Emergency, event: str, why: str) -> None:
        Intent(CLOCK, why).record("break_glass.stuck", work.request)
        notifications.tell_stuck(work)


def _take_back(emergency: Emergency, intent: Intent) -> Emergency:
    """Make the subject what it would be without the emergency change. All of it is locked."""
    request = emergency.request
    try:
        found = handlers.subject_of(request)
    except ObjectDoesNotExist:
        return _end(emergency, "superseded_at", intent, reason=_("It has been deleted since."))
    current = found.now()
    reverted = emergencies.state_without(emergency, current.document)
    emergency.kept = list(reverted.kept)
    if same_document(reverted.document, current.document):
        text = _("All that it changed has been changed again since.")
        return _end(emergency, "superseded_at", intent, reason=text)
    words = found.words_between(current.document, reverted.document)
    undoing = replace(intent, reason=emergency.reason, options=WriteOptions(undoing=emergency.pk))
    with transaction.atomic():
        found.apply(Wanted(reverted.document, current.version, undoing))
    return _end(emergency, "reverted_at", intent, words=words)


def _end(
    emergency: Emergency, field: str, intent: Intent, *, words: Sequence[str] = (), reason: str = ""
) -> Emergency:
    setattr(emergency, field, intent.at)
    emergency.clear()
    emergency.save()
    emergencies.forget(emergency)
    event = "break_glass.reverted" if field == "reverted_at" else "break_glass.not_reverted"
    after = {"words": list(words), "kept": emergency.kept}
    told = {name: value for name, value in after.items() if value}
    replace(intent, reason=reason).record(event, emergency.request, after=told or None)
    if emergency.kept:
        notifications.tell_kept(emergency)
    return emergency


def _lock_with_subject(emergency: Emergency) -> Emergency:
    """An emergency change with those of the same log, and where they can be noticed.

    In the order of every writer: the project, what is decided about, the environments. So nothing
    passes the gate between the state that is found and the change back to it.
    """
    request = emergency.request
    outbox.lock_people(request.project)
    others = Emergency.objects.select_for_update(of=("self",), no_key=True)
    list(others.filter(first=emergency.first_id).order_by("pk"))
    locked = _lock(emergency)
    places = list(request.environments.all())
    if len(places) > 1:
        outbox.lock_project(request.project)
    else:
        outbox.lock_environments(places)
    return locked


def _lock(emergency: Emergency) -> Emergency:
    found = Emergency.objects.select_for_update(of=("self",), no_key=True)
    return found.select_related("request__project").get(pk=emergency.pk)


def _require_another(emergency: Emergency, actor: Actor) -> None:
    user = require_person(actor)
    request = emergency.request
    if emergency.actor_user_id == user.pk:
        raise Barred(_("You broke glass, so somebody else has to review it."))
    for environment in selectors.deciding_environments(request):
        authority.require(
            actor,
            Permission.CHANGE_REQUEST_APPROVE,
            project=request.project,
            environment=environment,
        )


def _require_two(emergency: Emergency, intent: Intent) -> None:
    """Another person, who does not count as one with who broke the glass."""
    _require_another(emergency, intent.actor)
    user = require_person(intent.actor)
    why = approval_progress.of_two(
        emergency.actor_user_id, user.pk, emergency.request, now=clock.database_now()
    )
    if why:
        raise Barred(why)
