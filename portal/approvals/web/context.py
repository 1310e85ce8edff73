import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _, gettext_lazy

from portal.access.models import Environment
from portal.access.web.scope import Scope
from portal.approvals import approval_progress, emergencies, handlers, selectors
from portal.approvals.approval_progress import EnvironmentProgress
from portal.approvals.changes import same_document
from portal.approvals.descriptions import (
    missing_sentences,
    policy_sentence,
    role_label,
    unowned_sentence,
)
from portal.approvals.handlers import Document, RequestSubject
from portal.approvals.models import ChangeRequest, Emergency
from portal.approvals.web.listing import REVIEW_WITHIN, review_is_overdue
from portal.approvals.web.steps import Facts, Step, closed_sentence, emergency_steps, steps_of
from portal.audit import selectors as audit
from portal.audit.diffing import Difference, differences
from portal.audit.models import AuditEvent
from portal.lib import subjects
from portal.lib.merging import Side

LONGEST = 100_000


@dataclass(frozen=True, slots=True)
class Drift:
    """What a request starts from is another thing by now; ``now`` and ``asked`` are JSON texts.

    ``meanwhile`` says what became of it, ``clashes`` what both changed, ``wish`` what the request
    would change once it is up to date, and ``wish_of_theirs`` if what is there now stands.
    """

    now: str
    asked: str
    meanwhile: list[str]
    clashes: tuple[str, ...]
    wish: list[str]
    wish_of_theirs: list[str]
    changes: list[Difference]


@dataclass(frozen=True, slots=True)
class EnvironmentView:
    progress: EnvironmentProgress
    wants: str
    missing: list[str]


@dataclass(frozen=True, slots=True)
class EmergencyView:
    """An emergency, whether its review is late, and what the reader may do about it.

    ``goes_back`` says what becomes of its subject when it ends, ``keeps`` what of it stays because
    others changed the same; None where it does not run any more.
    """

    emergency: Emergency
    overdue: bool
    review_due_at: datetime
    steps: list[Step]
    goes_back: list[str] | None = None
    keeps: tuple[str, ...] = ()


def find_request(scope: Scope, number: int) -> ChangeRequest:
    found = selectors.requests_of(scope.project).prefetch_related("votes__user", "editors__user")
    return get_object_or_404(found, pk=number)


def find_emergency(scope: Scope, number: int) -> Emergency:
    emergency = emergency_of(find_request(scope, number))
    if emergency is None:
        raise Http404(number)
    return emergency


def emergency_of(asked: ChangeRequest) -> Emergency | None:
    emergency = Emergency.objects.filter(request=asked).first()
    if emergency is not None:
        emergency.request = asked
    return emergency


def _content_context(asked: ChangeRequest, found: RequestSubject | None) -> dict[str, object]:
    return {
        "address": found.page if found else "",
        "edit_address": found.edit_page if found else "",
        "dependants": found.dependants() if found else [],
        "outcomes": found.outcomes() if found else [],
        "changes": differences(asked.before, asked.after),
        "before": shown(asked.before),
        "after": shown(asked.after),
        "votes": asked.votes.all(),
        "editors": asked.editors.all(),
        "portal_url": settings.PORTAL_URL,
    }


def request_context(scope: Scope, asked: ChangeRequest, now: datetime) -> dict[str, object]:
    progress = approval_progress.progress_of(asked, now=now)
    found, closed, emergency = _find(asked), closed_sentence(asked), emergency_of(asked)
    drift = _drift(found) if found and not closed else None
    content, unowned = _content_context(asked, found), unowned_sentence(asked)
    places = _environment_views(progress.environments)
    facts = Facts(
        scope=scope,
        request=asked,
        deciding=progress.deciding,
        candidates=progress.could_vote,
        missing=[*filter(None, [unowned]), *(text for one in places for text in one.missing)],
        drifted=drift is not None,
        stopped=handlers.stopped([asked]).get(asked.pk, "") if not closed else "",
        closed=closed,
        edit_address=str(content["edit_address"]),
    )
    return {
        "scope": scope,
        "asked": asked,
        "places": places,
        "unowned": unowned,
        "drift": drift,
        "stopped": facts.stopped,
        "is_open": not closed,
        "gone": found is None and closed,
        "impact": partial(found.impact, now) if found and not closed else None,
        **content,
        "lines": lines_of(asked) if scope.may["audit_view"] else comments_of(asked),
        "steps": steps_of(facts),
        "emergency": emergency and view_of(scope, emergency, progress.deciding, now),
        "in_a_week": (now + timedelta(days=7)).date(),
    }


def _environment_views(environments: list[EnvironmentProgress]) -> list[EnvironmentView]:
    pairs = [(one, one.assessment) for one in environments]
    return [
        EnvironmentView(one, policy_sentence(found.policy), missing_sentences(found))
        for one, found in pairs
    ]


def _find(asked: ChangeRequest) -> RequestSubject | None:
    try:
        return handlers.subject_of(asked)
    except ObjectDoesNotExist:
        return None


def shown(document: object) -> str:
    text = json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True)
    if len(text) <= LONGEST:
        return text
    return text[:LONGEST] + "\n" + _("… cut here; the API has all of it.")


def view_of(
    scope: Scope, emergency: Emergency, deciding: list[Environment], now: datetime
) -> EmergencyView:
    goes_back, keeps = _goes_back(emergency)
    return EmergencyView(
        goes_back=goes_back,
        keeps=keeps,
        emergency=emergency,
        overdue=review_is_overdue(emergency, now=now),
        review_due_at=emergency.at + REVIEW_WITHIN,
        steps=emergency_steps(scope, emergency, deciding),
    )


def _goes_back(emergency: Emergency) -> tuple[list[str] | None, tuple[str, ...]]:
    found = _find(emergency.request) if emergency.is_running else None
    if found is None:
        return None, ()
    current = found.now().document
    reverted = emergencies.state_without(emergency, current)
    return found.words_between(current, reverted.document), reverted.kept


def _drift(found: RequestSubject) -> Drift | None:
    current = found.now()
    if not found.has_moved(current):
        return None
    mine = found.up_to_date(current)
    theirs = found.up_to_date(current, Side.THEIRS) if mine.clashes else mine
    now = current.document
    return Drift(
        now=shown(now),
        asked=shown(mine.document),
        meanwhile=_meanwhile(found, now),
        clashes=mine.clashes,
        wish=found.words_between(now, mine.document),
        wish_of_theirs=found.words_between(now, theirs.document),
        changes=differences(now, mine.document),
    )


def _meanwhile(found: RequestSubject, now: Document) -> list[str]:
    before = found.request.before
    return found.words_between(before, now) if now and not same_document(now, before) else []


MOST = 200
# On the page of a request, where everything is about it.
EVENT_WORDS = {
    "change_request.opened": gettext_lazy("asked for this"),
    "change_request.edited": gettext_lazy("edited it"),
    "change_request.approved": gettext_lazy("approved"),
    "change_request.rejected": gettext_lazy("rejected it"),
    "change_request.vote_withdrawn": gettext_lazy("took the vote back"),
    "change_request.commented": gettext_lazy("commented"),
    "change_request.applied": gettext_lazy("applied it"),
    "change_request.withdrawn": gettext_lazy("withdrew it"),
    "break_glass.used": gettext_lazy("broke the glass and made the change at once"),
    "break_glass.confirmed": gettext_lazy("confirmed the emergency change: it stays"),
    "break_glass.reverted": gettext_lazy("reverted the emergency change"),
    "break_glass.not_reverted": gettext_lazy(
        "found nothing left of the emergency change to revert"
    ),
    "break_glass.stuck": gettext_lazy("could not revert the emergency change yet"),
    "break_glass.reviewed": gettext_lazy("reviewed the emergency change"),
    "evidence.posted": gettext_lazy("posted evidence"),
    "change_request.held": gettext_lazy("put it off until after the freeze"),
    "change_request.not_applied": gettext_lazy("could not apply it"),
}
_VOTES = ("change_request.approved", "change_request.rejected")


@dataclass(frozen=True, slots=True)
class RequestEvent:
    event: AuditEvent
    words: str
    text: str
    roles: str
    void: bool


def lines_of(request: ChangeRequest) -> list[RequestEvent]:
    """The latest 200 events of a request and of the evidence about its content, oldest first."""
    events = list(_events(request, "change_request", str(request.pk)))
    for digest in filter(None, {request.digest, request.artefact}):
        events += _events(request, "evidence", digest)
    events.sort(key=lambda event: event.sequence)
    edits = [event.sequence for event in events if event.event == "change_request.edited"]
    last_edit = max(edits, default=0)
    return [_line(event, last_edit) for event in events[-MOST:]]


def comments_of(request: ChangeRequest) -> list[RequestEvent]:
    return [
        RequestEvent(AuditEvent(actor=one.author, at=one.at), _("commented"), one.text, "", False)
        for one in reversed(request.comments.order_by("-pk")[:MOST])
    ]


def _events(request: ChangeRequest, kind: str, subject: str) -> list[AuditEvent]:
    found = audit.events_of(request.project, subject_kind=kind, subject=subject)
    return list(found[:MOST])


def _line(event: AuditEvent, last_edit: int) -> RequestEvent:
    after = event.after_document or {}
    words = str(EVENT_WORDS.get(event.event) or subjects.plain(event.event))
    if event.event == "evidence.posted":
        words = f"{words}: {after.get('kind')} {after.get('result')}"
    roles = after.get("roles")
    return RequestEvent(
        event=event,
        words=words,
        text=str(after.get("text") or after.get("review") or event.reason),
        roles=", ".join(role_label(str(name)) for name in roles) if isinstance(roles, list) else "",
        void=event.event in _VOTES and event.sequence < last_edit,
    )
