"""What the page of a request shows."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _

from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope
from portal.approvals import handlers, prospects, reverting, selectors
from portal.approvals.changes import same_document
from portal.approvals.handlers import Impact
from portal.approvals.models import ChangeRequest, Emergency
from portal.approvals.prospects import Outlook
from portal.approvals.searching import REVIEW_WITHIN, review_is_overdue
from portal.approvals.web.history import comments_of, lines_of
from portal.approvals.web.steps import Facts, Step, emergency_steps, steps_of
from portal.approvals.wording import (
    missing_in,
    missing_sentences,
    policy_sentence,
    unowned_sentence,
)
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
class Place:
    """One environment whose policy has a say: what it wants, and how far the request is."""

    outlook: Outlook
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
    """A request of the project; 404 when it has none of that number."""
    asked = get_object_or_404(selectors.requests_of(scope.project), pk=number)
    asked.project = scope.project
    return asked


def find_emergency(scope: Scope, number: int) -> Emergency:
    """The emergency of a request of the project; 404 when it is none."""
    emergency = emergency_of(find_request(scope, number))
    if emergency is None:
        raise Http404(number)
    return emergency


def emergency_of(asked: ChangeRequest) -> Emergency | None:
    """The emergency that a request was made in, if it was."""
    emergency = Emergency.objects.filter(request=asked).first()
    if emergency is not None:
        emergency.request = asked
    return emergency


def request_context(scope: Scope, asked: ChangeRequest, now: datetime) -> dict[str, object]:
    """Everything on the page of a request."""
    outlooks = prospects.outlooks_of(asked, now=now) if asked.is_open else []
    deciding = selectors.deciding_environments(asked)
    drift, gone = _drift(asked)
    handler = handlers.handler_of(asked)
    edit_address = "" if gone else handler.edit_page(asked)
    emergency = emergency_of(asked)
    return {
        "scope": scope,
        "asked": asked,
        "places": [
            Place(one, policy_sentence(one.assessment.policy), missing_sentences(one.assessment))
            for one in outlooks
        ],
        "unowned": unowned_sentence(asked),
        "drift": drift,
        "gone": gone,
        "address": "" if gone else handler.page(asked),
        "edit_address": edit_address,
        "dependants": [] if gone else handlers.dependants_of(asked),
        "outcomes": handlers.outcomes_of(asked),
        "impact": _impact(asked, now, gone=gone),
        "changes": differences(asked.before, asked.after),
        "before": shown(asked.before),
        "after": shown(asked.after),
        "votes": asked.votes.select_related("user"),
        "editors": asked.editors.select_related("user"),
        "lines": _lines(scope, asked),
        "steps": steps_of(
            Facts(
                scope=scope,
                request=asked,
                deciding=deciding,
                candidates=prospects.could_vote(asked) if asked.is_open else [],
                missing=missing_in(asked, [one.assessment for one in outlooks]),
                drifted=drift is not None,
                edit_address=edit_address,
            )
        ),
        "emergency": emergency and view_of(scope, emergency, deciding, now),
        "portal_url": settings.PORTAL_URL,
        "in_a_week": (now + timedelta(days=7)).date(),
    }


def _impact(asked: ChangeRequest, now: datetime, *, gone: bool) -> Callable[[], Impact | None]:
    """Found out when the page asks for it: dialogs, which share all of this, do not."""
    return lambda: handlers.impact_of(asked, now=now) if asked.is_open and not gone else None


def shown(document: object) -> str:
    """A document as people read it; a very long one is cut and says so."""
    text = json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True)
    if len(text) <= LONGEST:
        return text
    return text[:LONGEST] + "\n" + _("… cut here; the API has all of it.")


def view_of(
    scope: Scope, emergency: Emergency, deciding: list[Environment], now: datetime
) -> EmergencyView:
    """An emergency as the pages show it."""
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
    request = emergency.request
    if not emergency.is_running:
        return None, ()
    try:
        current = handlers.current_of(request).document
    except ObjectDoesNotExist:
        return None, ()
    reverted = reverting.state_without(emergency, current)
    return handlers.words_between(request, current, reverted.document), reverted.kept


def _lines(scope: Scope, asked: ChangeRequest) -> list[object]:
    may_read = scope.may[Permission.AUDIT_VIEW.replace(".", "_")]
    return list(lines_of(asked) if may_read else comments_of(asked))


def _drift(asked: ChangeRequest) -> tuple[Drift | None, bool]:
    """How far an open request's base has moved, and whether its subject is gone altogether."""
    if not asked.is_open:
        return None, False
    try:
        current = handlers.current_of(asked)
    except ObjectDoesNotExist:
        return None, True
    if not handlers.has_moved(asked, current):
        return None, False
    mine = handlers.up_to_date(asked, current)
    theirs = handlers.up_to_date(asked, current, Side.THEIRS) if mine.clashes else mine
    now = current.document
    drift = Drift(
        now=shown(now),
        asked=shown(mine.document),
        meanwhile=_meanwhile(asked, current),
        clashes=mine.clashes,
        wish=handlers.words_between(asked, now, mine.document),
        wish_of_theirs=handlers.words_between(asked, now, theirs.document),
        changes=differences(now, mine.document),
    )
    return drift, False


def _meanwhile(asked: ChangeRequest, current: handlers.Side) -> list[str]:
    """What became of the thing meanwhile: the kind's words for a request of just that."""
    if not current.document or same_document(current.document, asked.before):
        return []
    return handlers.words_between(asked, asked.before, current.document)
