import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _

from portal.access.models import Environment
from portal.access.web.scope import Scope
from portal.approvals import approval_progress, emergencies, handlers, selectors
from portal.approvals.approval_progress import EnvironmentProgress
from portal.approvals.changes import same_document
from portal.approvals.descriptions import missing_sentences, policy_sentence, unowned_sentence
from portal.approvals.handlers import Document, RequestSubject
from portal.approvals.models import ChangeRequest, Emergency
from portal.approvals.searching import REVIEW_WITHIN, review_is_overdue
from portal.approvals.web.history import comments_of, lines_of
from portal.approvals.web.steps import Facts, Step, closed_sentence, emergency_steps, steps_of
from portal.audit.diffing import Difference, differences
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
    """One environment whose policy has a say: what it wants, and how far the request is."""

    outlook: EnvironmentProgress
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


def request_context(scope: Scope, asked: ChangeRequest, now: datetime) -> dict[str, object]:
    progress = approval_progress.progress_of(asked, now=now)
    outlooks, deciding, found = progress.outlooks, progress.deciding, _find(asked)
    closed = closed_sentence(asked)
    drift = _drift(found) if found and not closed else None
    edit_address = found.edit_page if found else ""
    emergency = emergency_of(asked)
    stopped = handlers.stopped([asked]).get(asked.pk, "") if not closed else ""
    unowned = unowned_sentence(asked)
    places = [
        EnvironmentView(
            one, policy_sentence(one.assessment.policy), missing_sentences(one.assessment)
        )
        for one in outlooks
    ]
    missing = [*filter(None, [unowned]), *(text for one in places for text in one.missing)]
    return {
        "scope": scope,
        "asked": asked,
        "places": places,
        "unowned": unowned,
        "drift": drift,
        "stopped": stopped,
        "is_open": not closed,
        "gone": found is None and closed,
        "address": found.page if found else "",
        "edit_address": edit_address,
        "dependants": found.dependants() if found else [],
        "outcomes": found.outcomes() if found else [],
        "impact": partial(found.impact, now) if found and not closed else None,
        "changes": differences(asked.before, asked.after),
        "before": shown(asked.before),
        "after": shown(asked.after),
        "votes": asked.votes.all(),
        "editors": asked.editors.all(),
        "lines": lines_of(asked) if scope.may["audit_view"] else comments_of(asked),
        "steps": steps_of(
            Facts(
                scope=scope,
                request=asked,
                deciding=deciding,
                candidates=progress.could_vote,
                missing=missing,
                drifted=drift is not None,
                stopped=stopped,
                closed=closed,
                edit_address=edit_address,
            )
        ),
        "emergency": emergency and view_of(scope, emergency, deciding, now),
        "portal_url": settings.PORTAL_URL,
        "in_a_week": (now + timedelta(days=7)).date(),
    }


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
