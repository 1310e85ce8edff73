"""What an emergency change goes back to: the last state that was agreed to.

While emergency changes of a subject run, the gate keeps a log of what changes it. To end one of
them, that log is played again without it: each change that was agreed to, or made by an emergency
that still runs, is merged onto the state without what has ended. So a second emergency change does
not become the state that the first goes back to, and what others changed meanwhile stays, also
where it clashes with what is taken back. What no gate has seen (a name, flags of an import) lies
between two rows of the log and counts as agreed to; but where the subject could not be all of that
at once, only what passed the gate stays, for nobody can be let keep an emergency from ending.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import QuerySet

from portal.access.models import Project
from portal.approvals import handlers
from portal.approvals.changes import Change
from portal.approvals.errors import EmergencyRunning
from portal.approvals.handlers import Sides
from portal.approvals.models import ChangeRequest, Emergency, EmergencyLog

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reverted:
    """A subject without some emergency changes; ``kept`` says what others changed as well, so that
    theirs stands."""

    document: Document
    kept: tuple[str, ...] = ()


def running() -> QuerySet[Emergency]:
    found = Emergency.objects.filter(confirmed_at=None, reverted_at=None, superseded_at=None)
    return found.order_by("pk")


def state_without(emergency: Emergency, current: Document) -> Reverted:
    return _play(emergency, current, {emergency.pk})


def agreed_state(emergency: Emergency, current: Document) -> Reverted:
    unconfirmed = running().filter(first=emergency.first_id).values_list("pk", flat=True)
    return _play(emergency, current, set(unconfirmed))


def _play(emergency: Emergency, current: Document, ending: set[int]) -> Reverted:
    rows = list(EmergencyLog.objects.filter(first=emergency.first_id).select_related("emergency"))
    found = handlers.subject_of(emergency.request)
    state = passed = rows[0].before
    kept: dict[str, None] = {}
    following = [*(row.before for row in rows[1:]), current]
    for row, then in zip(rows, following, strict=True):
        if not _is_out(row, ending):
            merged = found.merge(Sides(row.before, state, row.after))
            state = merged.document
            passed = found.merge(Sides(row.before, passed, row.after)).document
            if row.emergency is None or row.emergency.confirmed_at:
                kept |= dict.fromkeys(merged.clashes)
        merged = found.merge(Sides(row.after, state, then))
        state = merged.document
        kept |= dict.fromkeys(merged.clashes)
    return Reverted(found.fit([state, passed]), tuple(kept))


def _is_out(row: EmergencyLog, ending: set[int]) -> bool:
    one = row.emergency
    ended = one is not None and (one.reverted_at or one.superseded_at or one.pk in ending)
    return row.is_ending or bool(ended)


def about(change: Change) -> Emergency | None:
    if not running().exists():  # mostly, and asked for with every change
        return None
    places = [environment.pk for environment in change.environments]
    same = running().filter(
        request__project=change.project,
        request__kind=change.kind,
        request__subject=change.subject,
        request__environments__in=places,
    )
    same = same.filter(first__isnull=False)  # not the one that is just being made
    return same.select_related("request__project", "first").first()


def going_back(project: Project, kind: str) -> Iterator[tuple[ChangeRequest, Document]]:
    found = running().filter(request__project=project, request__kind=kind)
    logs = {one.first_id: one for one in found.select_related("request__project")}
    for emergency in logs.values():
        try:
            current = handlers.subject_of(emergency.request).now().document
        except ObjectDoesNotExist:
            continue  # what it changed has been deleted
        yield emergency.request, agreed_state(emergency, current).document


def require_untouched(change: Change) -> None:
    """Raise EmergencyRunning where a plan's step would build on what nobody has agreed to."""
    emergency = about(change)
    if emergency is None:
        return
    agreed = agreed_state(emergency, change.before).document
    request = emergency.request
    if handlers.subject_of(request).merge(Sides(change.before, agreed, change.after)).clashes:
        raise EmergencyRunning(request)


def note(change: Change, emergency: Emergency | None = None, *, is_ending: bool = False) -> None:
    """Keep a change that passed the gate, where emergency changes of the same subject run.

    ``emergency`` is the one that it makes, or ends.
    """
    begun = about(change) if emergency is None or emergency.first_id is None else emergency
    if emergency is not None and emergency.first_id is None:
        emergency.first = (begun and begun.first) or emergency
        emergency.save(update_fields=["first"])
        begun = emergency
    if begun is not None:
        EmergencyLog.objects.create(
            first=begun.first or begun,
            emergency=emergency,
            is_ending=is_ending,
            before=dict(change.before),
            after=dict(change.after),
        )


def forget(emergency: Emergency) -> None:
    """Let a log go once none of its emergency changes runs any more.

    Its rows are read first: another emergency change may begin in it at this moment.
    """
    log = EmergencyLog.objects.filter(first=emergency.first_id)
    rows = list(log.values_list("pk", flat=True))
    if not running().filter(first=emergency.first_id).exists():
        log.filter(pk__in=rows).delete()
