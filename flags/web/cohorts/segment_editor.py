"""Creating a segment, and editing who belongs to it by conditions."""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from flags import services
from flags.engine import Segment as SegmentDocument
from flags.models import Segment
from flags.services import cohort_changes
from flags.services.parsing import segment_from
from flags.web.cohorts import conditions
from flags.web.cohorts.saving import Review, page_of, review_dialog
from flags.web.finding import find_segment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib import strict_json
from portal.lib.errors import Invalid
from portal.lib.intent import Intent
from portal.lib.web.forms import Fields, read_form, sent_version, texts
from portal.lib.web.htmx import redirect_to, render_page

Form = dict[str, Any]
FIELDS: Fields = {
    **texts("key", "name", "description", "keyed_by", "version", "json"),
    **conditions.FIELDS,
}


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.SEGMENT_EDIT)
def create_segment(request: HttpRequest, scope: Scope) -> HttpResponse:
    if request.method != "POST":
        return _draw(request, scope, None, _to_form({"when": {"any": []}}))
    form = read_form(request.POST.items(), FIELDS)
    if request.POST.get("do"):
        return _rearranged(request, scope, None, form)
    try:
        segment = services.create_segment(
            project=scope.project, document=_to_document(form), intent=Intent(scope.actor)
        )
    except Invalid as error:
        return _draw(request, scope, None, form, errors=error.problems, status=422)
    text = _("{segment} is there. List users in it, or use it in a rule.")
    return redirect_to(request, page_of(segment), text.format(segment=segment.title))


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.SEGMENT_EDIT)
def edit_segment(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    """The form; sent, it is checked and answered with the dialog that says what would change."""
    segment = find_segment(scope, key)
    if request.method != "POST":
        return _draw(request, scope, segment, _to_form(segment.document))
    form = read_form(request.POST.items(), FIELDS) | {"key": segment.key}
    if request.POST.get("do"):
        return _rearranged(request, scope, segment, form)
    try:
        document = _to_document(form)
        _check(document)
    except Invalid as error:
        return _draw(request, scope, segment, form, errors=error.problems, status=422)
    after = segment.document | document
    words = cohort_changes.segment_words(segment.project, segment.document, after)
    review = Review(after, sent_version(request), words)
    return review_dialog(request, scope, segment, review)


def _check(document: Form) -> SegmentDocument:
    return segment_from(document)


def _rearranged(
    request: HttpRequest, scope: Scope, segment: Segment | None, form: Form
) -> HttpResponse:
    focus = conditions.rearrange(form, request.POST.get("do", ""))
    return _draw(request, scope, segment, form, focus=focus)


def _draw(
    request: HttpRequest,
    scope: Scope,
    segment: Segment | None,
    form: Form,
    *,
    errors: dict[str, str] | None = None,
    focus: str = "",
    status: int = 200,
) -> HttpResponse:
    problems = errors or {}
    context = {
        "scope": scope,
        "one": segment,
        "page": page_of(segment) if segment else "",
        "tab": "edit",
        "form": form,
        "errors": problems,
        "drawing": conditions.drawing(form, problems, focus, scope.project),
        "editor": request.path,
        "as_json": "json" in form,
    }
    page = "cohorts/segment_edit.html" if segment else "cohorts/segment_create.html"
    return render_page(request, page, "cohorts/_segment_form.html", context, status=status)


def _to_form(document: Form) -> Form:
    """The form of a segment; conditions that the editor cannot draw are edited as JSON."""
    form = {name: document.get(name, "") for name in ("key", "name", "description", "keyed_by")}
    drawn = conditions.to_form(document["when"])
    if drawn is None:
        return form | {"json": json.dumps(document["when"], ensure_ascii=False, indent=2)}
    return form | drawn


def _to_document(form: Form) -> Form:
    """The document that the form describes, without its lists. Raises Invalid."""
    return {
        "key": form.get("key", "").strip(),
        "name": form.get("name", "").strip(),
        "description": form.get("description", "").strip(),
        "keyed_by": form.get("keyed_by", "").strip() or "targetingKey",
        "when": _parsed(form["json"]) if "json" in form else conditions.to_when(form),
    }


def _parsed(text: str) -> object:
    try:
        return strict_json.loads_text(text)
    except strict_json.NotStrict:
        problem = _('Write it as JSON, such as {{"segment": "beta"}}.').format()
        raise Invalid({"when": problem}) from None
