"""What the page of a request shows."""

import copy
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
from portal.approvals import kinds, prospects, selectors
from portal.approvals.kinds import Impact, Side
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

LONGEST = 100_000


@dataclass(frozen=True, slots=True)
class Drift:
    """What a request starts from is another thing by now; ``now`` and ``asked`` are JSON texts.

    ``meanwhile`` says what became of it, ``wish`` what the request would change in that.
    """

    now: str
    asked: str
    meanwhile: list[str]
    wish: list[str]
    changes: list[Difference]


@dataclass(frozen=True, slots=True)
class Place:
    """One environment whose policy has a say: what it wants, and how far the request is."""

    outlook: Outlook
    wants: str
    missing: list[str]


@dataclass(frozen=True, slots=True)
class EmergencyView:
    """An emergency, whether its review is late, and what the reader may do about it."""

    emergency: Emergency
    overdue: bool
    review_due_at: datetime
    steps: list[Step]


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
    kind = kinds.kind_of(asked)
    edit_address = "" if gone else kind.edit_address(asked)
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
        "address": "" if gone else kind.address(asked),
        "edit_address": edit_address,
        "dependants": [] if gone else kinds.dependants_of(asked),
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
    return lambda: kinds.impact_of(asked, now=now) if asked.is_open and not gone else None


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
    return EmergencyView(
        emergency=emergency,
        overdue=review_is_overdue(emergency, now=now),
        review_due_at=emergency.at + REVIEW_WITHIN,
        steps=emergency_steps(scope, emergency, deciding),
    )


def _lines(scope: Scope, asked: ChangeRequest) -> list[object]:
    may_read = scope.may[Permission.AUDIT_VIEW.replace(".", "_")]
    return list(lines_of(asked) if may_read else comments_of(asked))


def _drift(asked: ChangeRequest) -> tuple[Drift | None, bool]:
    """How far an open request's base has moved, and whether its subject is gone altogether."""
    if not asked.is_open:
        return None, False
    kind = kinds.kind_of(asked)
    try:
        current = kind.current(asked)
    except ObjectDoesNotExist:
        return None, True
    if current.version == asked.base_version:
        return None, False
    drift = Drift(
        now=shown(current.document),
        asked=shown(asked.after),
        meanwhile=_meanwhile(asked, current),
        wish=kind.words(asked, current.document),
        changes=differences(current.document, asked.after),
    )
    return drift, False


def _meanwhile(asked: ChangeRequest, current: Side) -> list[str]:
    """What became of the thing meanwhile: the kind's words for a request of just that."""
    if not current.document or current.document == asked.before:
        return []
    happened = copy.copy(asked)
    happened.after = dict(current.document)
    return kinds.kind_of(asked).words(happened, asked.before)
