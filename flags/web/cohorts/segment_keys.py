"""A segment's lists: looking through them, downloading them, and changing who is in them."""

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from flags.models import Segment
from flags.models.segment import LISTS
from flags.services import cohort_changes, key_files, key_lists
from flags.services.key_files import KeyFile
from flags.services.key_lists import KeyChange, Mode
from flags.web.cohorts.saving import Review, review_dialog
from flags.web.cohorts.segments import key_list
from flags.web.finding import find_segment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib import clock
from portal.lib.errors import Invalid
from portal.lib.web.spreadsheets import csv_response


@require_safe
@project_page(Permission.FLAG_VIEW)
def show_keys(request: HttpRequest, scope: Scope, which: str, key: str) -> HttpResponse:
    """A page of a list, narrowed by what is searched for."""
    segment = find_list(scope, which, key)
    search, after = request.GET.get("search", ""), request.GET.get("after", "")
    listed = key_list(segment, which, search=search, after=after)
    context = {"scope": scope, "one": segment, "list": listed}
    return render(request, "cohorts/_keys.html", context)


@require_safe
@project_page(Permission.FLAG_VIEW)
def download_keys(request: HttpRequest, scope: Scope, which: str, key: str) -> HttpResponse:
    """The whole list, as an upload reads it back."""
    segment = find_list(scope, which, key)
    rows = [[one] for one in getattr(segment, which).keys]
    name = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in segment.key)
    return csv_response(f"{name}-{which}", ["key"], rows)


@require_POST
@project_page(Permission.SEGMENT_EDIT)
def review_keys(request: HttpRequest, scope: Scope, which: str, key: str) -> HttpResponse:
    """Read what was pasted or uploaded; answers the dialog that says what it comes to."""
    segment = find_list(scope, which, key)
    try:
        found = _sent_keys(request)
        change = KeyChange(which, _mode(request), found.keys)
        wanted, report = key_lists.decide(segment, change)
    except Invalid as error:
        return _problem(request, scope, segment, which, " ".join(error.problems.values()))
    stored = key_lists.store(scope.project, wanted, now=clock.now())
    after = segment.document | {which: stored.document}
    words = cohort_changes.segment_words(scope.project, segment.document, after)
    shown = {"file": found, "keys": report, "mode": change.mode, "list": which}
    return review_dialog(request, scope, segment, Review(after, segment.version, words, shown))


def _sent_keys(request: HttpRequest) -> KeyFile:
    """What was sent: a file, or lines of text. Raises Invalid where there is nothing to use."""
    upload: Any = request.FILES.get("file")
    if isinstance(upload, UploadedFile):
        found = key_files.read_csv(upload, size=upload.size or 0)
    else:
        found = key_files.read_text(request.POST.get("keys", ""))
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
    return render(request, "cohorts/_keys_problem.html", context, status=422)


def find_list(scope: Scope, which: str, key: str) -> Segment:
    """The segment, where it has such a list. Raises Http404."""
    if which not in LISTS:
        raise Http404(which)
    return find_segment(scope, key)
