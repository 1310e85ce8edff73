from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from flags.core import descriptions
from flags.engine import DocumentError
from flags.models import Segment
from flags.models.segment import LISTS
from flags.references.dependants import uses_of_all
from flags.segments import changes as segment_changes, key_lists, selectors as segment_selectors
from flags.segments.key_lists import KeyChange, KeyFile, Mode
from flags.segments.membership import explain_membership
from flags.segments.web.saving import (
    Review,
    SegmentOrGroup,
    find_segment,
    page_of,
    review_dialog,
    users_of,
)
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals import selectors as approvals
from portal.audit.filters import Filters
from portal.audit.web.lines import history_page
from portal.lib import clock
from portal.lib.errors import Invalid
from portal.lib.web.pages import render_page
from portal.lib.web.spreadsheets import csv_response


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_segments(request: HttpRequest, scope: Scope) -> HttpResponse:
    search = request.GET.get("search", "").strip()
    found = segment_selectors.list_segments(scope.project, search=search)
    counts = uses_of_all(scope.project)
    rows = [{"segment": one, "who": sentence(one), "uses": counts.get(one.key, 0)} for one in found]
    context = {"scope": scope, "rows": rows, "search": search}
    return render_page(
        request, "flags/segments/segments.html", "flags/segments/_segments.html", context
    )


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
    return render(request, "flags/segments/segment.html", context)


def header(scope: Scope, one: SegmentOrGroup, tab: str) -> dict[str, object]:
    kind = one.recorded_as.kind
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
    stored = getattr(segment, name)
    return {
        "name": name,
        "page": segment_selectors.page_of_keys(stored.keys, search=search, after=after),
        "search": search,
        "after": after,
    }


def sentence(segment: Segment) -> str:
    try:
        return descriptions.condition(segment.rules.when)
    except DocumentError as error:
        return str(error)


@require_safe
@project_page(Permission.FLAG_VIEW)
def test_key(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    segment = find_segment(scope, key)
    unit, attributes = request.GET.get("unit", "").strip(), request.GET.get("attributes", "")
    found = explain_membership(segment, unit=unit, attributes=attributes) if unit else None
    context = {"scope": scope, "one": segment, "found": found, "unit": unit}
    return render(request, "flags/segments/_tested.html", context)


@require_safe
@project_page(Permission.AUDIT_VIEW)
def segment_history(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    return draw_history(request, scope, find_segment(scope, key))


def draw_history(request: HttpRequest, scope: Scope, one: SegmentOrGroup) -> HttpResponse:
    kind = one.recorded_as.kind
    filters = Filters(project=scope.project.key, kind=kind, subject=one.key)
    context = {**header(scope, one, "history"), **history_page(request, filters)}
    return render_page(request, "flags/segments/history.html", "flags/core/_history.html", context)


# A segment's lists: looking through them, downloading them, and changing who is in them.


@require_safe
@project_page(Permission.FLAG_VIEW)
def show_keys(request: HttpRequest, scope: Scope, which: str, key: str) -> HttpResponse:
    segment = find_list(scope, which, key)
    search, after = request.GET.get("search", ""), request.GET.get("after", "")
    listed = key_list(segment, which, search=search, after=after)
    return render(
        request, "flags/segments/_keys.html", {"scope": scope, "one": segment, "list": listed}
    )


@require_safe
@project_page(Permission.FLAG_VIEW)
def download_keys(request: HttpRequest, scope: Scope, which: str, key: str) -> HttpResponse:
    segment = find_list(scope, which, key)
    rows = [[one] for one in getattr(segment, which).keys]
    name = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in segment.key)
    return csv_response(f"{name}-{which}", ["key"], rows)


@require_POST
@project_page(Permission.SEGMENT_EDIT)
def review_keys(request: HttpRequest, scope: Scope, which: str, key: str) -> HttpResponse:
    segment = find_list(scope, which, key)
    try:
        found = _sent_keys(request)
        change = KeyChange(which, _mode(request), found.keys)
        wanted, report = key_lists.decide(segment, change)
    except Invalid as error:
        return _problem(request, scope, segment, which, " ".join(error.problems.values()))
    stored = key_lists.store(scope.project, wanted, now=clock.now())
    after = segment.document | {which: stored.document}
    words = segment_changes.segment_words(scope.project, segment.document, after)
    shown = {"file": found, "keys": report, "mode": change.mode, "list": which}
    return review_dialog(request, scope, segment, Review(after, segment.version, words, shown))


def _sent_keys(request: HttpRequest) -> KeyFile:
    upload: Any = request.FILES.get("file")
    if isinstance(upload, UploadedFile):
        found = key_lists.read_csv(upload, size=upload.size or 0)
    else:
        found = key_lists.read_text(request.POST.get("keys", ""))
    if not found.keys and _mode(request) is not Mode.REPLACE:
        named = "; ".join(
            _("line {line}: {problem}").format(line=line, problem=problem)
            for line, problem in found.invalid[:3]
        )
        raise Invalid({"keys": _("There are no keys in it.") + (f" {named}" if named else "")})
    return found


def _mode(request: HttpRequest) -> Mode:
    text = request.POST.get("mode", "")
    return Mode(text) if text in set(Mode) else Mode.ADD


def _problem(
    request: HttpRequest, scope: Scope, segment: Segment, which: str, text: str
) -> HttpResponse:
    context = {"scope": scope, "one": segment, "problem": text, "which": which}
    return render(request, "flags/segments/_keys_problem.html", context, status=422)


def find_list(scope: Scope, which: str, key: str) -> Segment:
    if which not in LISTS:
        raise Http404(which)
    return find_segment(scope, key)
