"""The lists: what waits for the reader, all change requests, and the number in the navigation."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals import searching, selectors
from portal.approvals.models import ChangeRequest, State, Verdict
from portal.approvals.searching import RequestFilter
from portal.approvals.web.live import answer, is_unchanged, pulse
from portal.approvals.wording import missing_in
from portal.lib import clock
from portal.lib.web.spreadsheets import Value, written

MOST_WAITING = 25
COLUMNS = (
    "number",
    "state",
    "title",
    "subject_kind",
    "subject",
    "environments",
    "author",
    "asked_at",
    "revision",
    "closed_at",
    "closed_by",
    "approved_by",
    "reason",
    "change",
    "digest",
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits for the reader, and what it lacks."""

    asked: ChangeRequest
    missing: list[str]


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_requests(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The page; with ``seen`` its live part, or 204 while it looks the same."""
    now = clock.now()
    beat = pulse(now)
    if is_unchanged(request, beat):
        return HttpResponse(status=204)
    return answer(request, "requests", _context(request, scope, now), beat)


@require_safe
@project_page(Permission.FLAG_VIEW)
def count_waiting(request: HttpRequest, scope: Scope) -> HttpResponse:
    """How many requests wait for the reader; 204 where it is the number they have seen."""
    count = len(selectors.waiting_for(scope.user, scope.project))
    if request.GET.get("seen") == str(count):
        return HttpResponse(status=204)
    return render(request, "approvals/_waiting.html", {"scope": scope, "count": count})


@require_safe
@project_page(Permission.FLAG_VIEW)
def export_requests(request: HttpRequest, scope: Scope) -> HttpResponse:
    """What the same filters show, all of it, as CSV in UTC; in constant memory."""
    found = searching.find_requests(scope.project, RequestFilter.of(request.GET.dict()))
    response = StreamingHttpResponse(
        _csv(found.prefetch_related("votes__user").iterator(chunk_size=500)),
        content_type="text/csv; charset=utf-8",
    )
    name = f"{scope.project.key}-changes.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return cast(HttpResponse, response)  # whoever sends it treats both alike


def _context(request: HttpRequest, scope: Scope, now: datetime) -> dict[str, object]:
    wanted = RequestFilter.of(request.GET.dict())
    before = request.GET.get("before", "")
    rows, next_before = searching.page_before(
        searching.find_requests(scope.project, wanted), before
    )
    waiting = selectors.waiting_for(scope.user, scope.project)
    return {
        "scope": scope,
        "live_url": reverse("change-request-list", args=[scope.project.key]),
        "wanted": wanted,
        "waiting": _with_missing(waiting[:MOST_WAITING], now),
        "more_waiting": max(0, len(waiting) - MOST_WAITING),
        "reviews": [
            (one, searching.review_is_overdue(one, now=now))
            for one in searching.awaiting_review(scope.project)[:MOST_WAITING]
        ],
        "requests": rows,
        "before": before,
        "first_query": _query(request),
        "next_query": next_before and _query(request, before=str(next_before)),
        "states": State.choices,
        "environments": scope.project.environments.all(),
    }


def _with_missing(waiting: list[ChangeRequest], now: datetime) -> list[Waiting]:
    assessments = selectors.assess_requests(waiting, now=now)
    return [Waiting(one, missing_in(one, assessments[one.pk])) for one in waiting]


def _query(request: HttpRequest, **changes: str) -> str:
    """The page's own filters, from the first page on unless ``changes`` say otherwise."""
    query = request.GET.copy()
    for name in ("seen", "before"):
        query.pop(name, None)
    for name, value in changes.items():
        query[name] = value
    return query.urlencode()


class _Echo:
    """What csv takes for a file: gives each line back."""

    def write(self, line: str) -> str:
        return line


def _csv(requests: Iterable[ChangeRequest]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for one in requests:
        yield writer.writerow([written(value) for value in _row(one)])


def _row(one: ChangeRequest) -> list[Value]:
    approvals = [vote for vote in one.votes.all() if vote.verdict == Verdict.APPROVE]
    agreed = [f"{vote.user.username} ({', '.join(vote.names)})" for vote in approvals]
    environments = [place.key for place in one.environments.all()]
    return [
        one.pk,
        one.state,
        one.title,
        one.subject_kind,
        one.subject,
        " ".join(environments),
        one.author,
        _utc(one.created_at),
        one.revision,
        _utc(one.closed_at),
        one.closed_by,
        "; ".join(agreed),
        one.reason,
        " ".join(one.words),
        one.digest,
    ]


def _utc(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else ""
