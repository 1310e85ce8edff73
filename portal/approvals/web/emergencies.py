"""The list of emergencies: what runs, what waits for its review, and all there were."""

from datetime import datetime
from functools import partial

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals import searching
from portal.approvals.models import Emergency
from portal.audit.web.lines import pulse
from portal.lib import clock
from portal.lib.paging import page_of
from portal.lib.web.lists import paging
from portal.lib.web.live import live_page

MOST = 100


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_emergencies(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The page; with ``seen`` its live part, or 204 while it looks the same."""
    now = clock.now()
    draw = partial(_context, request, scope, now)
    return live_page(request, "approvals/emergencies", pulse(now), draw)


def _context(request: HttpRequest, scope: Scope, now: datetime) -> dict[str, object]:
    found = searching.emergencies_of(scope.project)
    running = found.filter(confirmed_at=None, reverted_at=None, superseded_at=None)
    awaiting = searching.awaiting_review(scope.project)
    page = page_of(found, after=request.GET.get("before", ""), before=request.GET.get("after", ""))
    return {
        "scope": scope,
        "live_url": request.path,
        "running": running[:MOST],
        "awaiting": [_due(one, now) for one in awaiting[:MOST]],
        "emergencies": page.rows,
        **paging(request, page, forward="before", back="after"),
    }


def _due(emergency: Emergency, now: datetime) -> dict[str, object]:
    return {
        "emergency": emergency,
        "due_at": emergency.at + searching.REVIEW_WITHIN,
        "overdue": searching.review_is_overdue(emergency, now=now),
    }
