"""The list of segments, and the page of one."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from flags import cohorts, wording
from flags.dependants import uses_of_all
from flags.engine import DocumentError
from flags.models import Segment
from flags.models.segment import LISTS
from flags.services import cohort_changes
from flags.services.membership import explain_membership
from flags.web.cohorts.saving import Cohort, page_of, users_of
from flags.web.finding import find_segment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals import selectors as approvals
from portal.audit.filters import Filters
from portal.audit.web.lines import history_page
from portal.lib.web.pages import render_page


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_segments(request: HttpRequest, scope: Scope) -> HttpResponse:
    search = request.GET.get("search", "").strip()
    found = cohorts.list_segments(scope.project, search=search)
    counts = uses_of_all(scope.project)
    rows = [{"segment": one, "who": sentence(one), "uses": counts.get(one.key, 0)} for one in found]
    context = {"scope": scope, "rows": rows, "search": search}
    return render_page(request, "cohorts/segments.html", "cohorts/_segments.html", context)


@require_safe
@project_page(Permission.FLAG_VIEW)
def show_segment(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    segment = find_segment(scope, key)
    context = {
        **header(scope, segment, "segment"),
        "who": sentence(segment),
        "lists": [key_list(segment, name) for name in LISTS],
        "uses": users_of(segment),
    }
    return render(request, "cohorts/segment.html", context)


def header(scope: Scope, one: Cohort, tab: str) -> dict[str, object]:
    """What the head of a page shows: the name, the tabs, the requests that are open about it."""
    kind = cohort_changes.subject_kind(one)
    return {
        "scope": scope,
        "one": one,
        "page": page_of(one),
        "tab": tab,
        "pending": approvals.open_requests(scope.project, subject_kind=kind, subject=one.key),
    }


def key_list(
    segment: Segment, name: str, *, search: str = "", after: str = ""
) -> dict[str, object]:
    """One of a segment's lists as the page shows it."""
    stored = getattr(segment, name)
    return {
        "name": name,
        "page": cohorts.page_of_keys(stored.keys, search=search, after=after),
        "search": search,
        "after": after,
    }


def sentence(segment: Segment) -> str:
    """Who belongs by condition, in words."""
    try:
        return wording.condition(segment.rules.when)
    except DocumentError as error:
        return str(error)


@require_safe
@project_page(Permission.FLAG_VIEW)
def test_key(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    """Whether a user is in the segment, and why."""
    segment = find_segment(scope, key)
    unit, attributes = request.GET.get("unit", "").strip(), request.GET.get("attributes", "")
    found = explain_membership(segment, unit=unit, attributes=attributes) if unit else None
    context = {"scope": scope, "one": segment, "found": found, "unit": unit}
    return render(request, "cohorts/_tested.html", context)


@require_safe
@project_page(Permission.AUDIT_VIEW)
def segment_history(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    return draw_history(request, scope, find_segment(scope, key))


def draw_history(request: HttpRequest, scope: Scope, one: Cohort) -> HttpResponse:
    """What happened to it: its part of the history, newest first."""
    kind = cohort_changes.subject_kind(one)
    filters = Filters(project=scope.project.key, kind=kind, subject=one.key)
    context = {**header(scope, one, "history"), **history_page(request, filters)}
    return render_page(request, "cohorts/history.html", "flags/_history.html", context)
