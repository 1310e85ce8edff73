from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from portal.access.models import Project
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals import selectors
from portal.approvals.descriptions import missing_in
from portal.approvals.models import ChangeRequest, Emergency, State, Verdict
from portal.audit.web.lines import pulse
from portal.lib import clock
from portal.lib.numbers import read_whole
from portal.lib.paging import page_of
from portal.lib.web.live import live_page
from portal.lib.web.pages import TextFilter, paging, query_with
from portal.lib.web.spreadsheets import Value, csv_response

# How long the review of an emergency may take before the pages call it overdue.
REVIEW_WITHIN = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class RequestFilter(TextFilter):
    state: str = ""
    environment: str = ""
    author: str = ""
    subject: str = ""
    search: str = ""


def find_requests(project: Project, wanted: RequestFilter) -> QuerySet[ChangeRequest]:
    found = selectors.requests_of(project)
    if wanted.state:
        found = found.filter(state=wanted.state)
    if wanted.environment:
        found = found.filter(environments__key=wanted.environment)
    if wanted.author:
        found = found.filter(author__icontains=wanted.author)
    if wanted.subject:
        found = found.filter(subject__icontains=wanted.subject)
    if wanted.search:
        found = found.filter(_says(wanted.search))
    return found


def emergencies_of(project: Project) -> QuerySet[Emergency]:
    return (
        Emergency.objects.filter(request__project=project)
        .select_related("request")
        .prefetch_related("request__environments")
    )


def awaiting_review(project: Project) -> QuerySet[Emergency]:
    return emergencies_of(project).filter(reviewed_at=None).order_by("pk")


def review_is_overdue(emergency: Emergency, *, now: datetime) -> bool:
    return not emergency.is_reviewed and emergency.at + REVIEW_WITHIN < now


def _says(text: str) -> Q:
    says = Q(title__icontains=text) | Q(reason__icontains=text) | Q(subject__icontains=text)
    number = read_whole(text.removeprefix("#"))
    return says if number is None else says | Q(pk=number)


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
class WaitingRequest:
    asked: ChangeRequest
    missing: list[str]


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_requests(request: HttpRequest, scope: Scope) -> HttpResponse:
    now = clock.now()
    draw = partial(_context, request, scope, now)
    return live_page(request, "approvals/requests", pulse(now), draw)


@require_safe
@project_page(Permission.FLAG_VIEW)
def count_waiting(request: HttpRequest, scope: Scope) -> HttpResponse:
    count = len(selectors.waiting_for(scope.user, scope.project))
    if request.GET.get("seen") == str(count):
        return HttpResponse(status=204)
    return render(request, "approvals/_waiting.html", {"scope": scope, "count": count})


@require_safe
@project_page(Permission.FLAG_VIEW)
def export_requests(request: HttpRequest, scope: Scope) -> HttpResponse:
    """What the same filters show, all of it, as CSV in UTC; in constant memory."""
    found = find_requests(scope.project, RequestFilter.of(request.GET.dict()))
    rows = found.prefetch_related("votes__user").iterator(chunk_size=500)
    return csv_response(f"{scope.project.key}-changes", COLUMNS, map(_row, rows))


def _context(request: HttpRequest, scope: Scope, now: datetime) -> dict[str, object]:
    wanted = RequestFilter.of(request.GET.dict())
    found = find_requests(scope.project, wanted)
    page = page_of(found, after=request.GET.get("before", ""), before=request.GET.get("after", ""))
    waiting = selectors.waiting_for(scope.user, scope.project)
    return {
        "scope": scope,
        "live_url": reverse("change-request-list", args=[scope.project.key]),
        "wanted": wanted,
        "waiting": _with_missing(waiting[:MOST_WAITING], now),
        "more_waiting": max(0, len(waiting) - MOST_WAITING),
        "reviews": [
            (one, review_is_overdue(one, now=now))
            for one in awaiting_review(scope.project)[:MOST_WAITING]
        ],
        "requests": page.rows,
        "filters": query_with(request.GET, before=None, after=None),
        **paging(request, page, forward="before", back="after"),
        "states": State.choices,
        "environments": scope.environments,
    }


def _with_missing(waiting: list[ChangeRequest], now: datetime) -> list[WaitingRequest]:
    assessments = selectors.assess_requests(waiting, now=now)
    return [WaitingRequest(one, missing_in(one, assessments[one.pk])) for one in waiting]


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


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_emergencies(request: HttpRequest, scope: Scope) -> HttpResponse:
    now = clock.now()
    draw = partial(_emergencies, request, scope, now)
    return live_page(request, "approvals/emergencies", pulse(now), draw)


def _emergencies(request: HttpRequest, scope: Scope, now: datetime) -> dict[str, object]:
    found = emergencies_of(scope.project)
    running = found.filter(confirmed_at=None, reverted_at=None, superseded_at=None)
    awaiting = awaiting_review(scope.project)
    page = page_of(found, after=request.GET.get("before", ""), before=request.GET.get("after", ""))
    return {
        "scope": scope,
        "live_url": request.path,
        "running": running[:MOST_WAITING],
        "awaiting": [_due(one, now) for one in awaiting[:MOST_WAITING]],
        "emergencies": page.rows,
        **paging(request, page, forward="before", back="after"),
    }


def _due(emergency: Emergency, now: datetime) -> dict[str, object]:
    return {
        "emergency": emergency,
        "due_at": emergency.at + REVIEW_WITHIN,
        "overdue": review_is_overdue(emergency, now=now),
    }
