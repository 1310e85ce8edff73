"""Creating a segment, and editing who belongs to it by conditions."""

import json
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from flags import services
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
from portal.lib.web.pages import Refusal, governed, redirect_to, show_form

Form = dict[str, Any]
FIELDS: Fields = {
    **texts("key", "name", "description", "keyed_by", "version", "json"),
    **conditions.FIELDS,
}


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.SEGMENT_EDIT)
def create_segment(request: HttpRequest, scope: Scope) -> HttpResponse:
    form = _to_form({"when": {"any": []}})
    if request.method == "POST":
        form = read_form(request.POST.items(), FIELDS)

    def save() -> HttpResponse:
        segment = services.create_segment(
            project=scope.project, document=_to_document(form), intent=Intent(scope.actor)
        )
        text = _("{segment} is there. List users in it, or use it in a rule.")
        return redirect_to(request, page_of(segment), text.format(segment=segment.title))

    return _edit(request, scope, None, form, save)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.SEGMENT_EDIT)
def edit_segment(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    """The form; sent, it is checked and answered with the dialog that says what would change."""
    segment = find_segment(scope, key)
    form = _to_form(segment.document)
    if request.method == "POST":
        form = read_form(request.POST.items(), FIELDS) | {"key": segment.key}

    def save() -> HttpResponse:
        document = _to_document(form)
        segment_from(document)
        after = segment.document | document
        words = cohort_changes.segment_words(segment.project, segment.document, after)
        return review_dialog(request, scope, segment, Review(after, sent_version(request), words))

    return _edit(request, scope, segment, form, save)


def _edit(
    request: HttpRequest,
    scope: Scope,
    segment: Segment | None,
    form: Form,
    save: Callable[[], HttpResponse],
) -> HttpResponse:
    """The form; where one of its buttons was pressed it is rearranged, and nothing is saved."""
    command = request.POST.get("do", "")
    focus = conditions.rearrange(form, command) if command else ""

    def context(refusal: Refusal) -> dict[str, object]:
        return {
            "scope": scope,
            "one": segment,
            "page": page_of(segment) if segment else "",
            "tab": "edit",
            "form": form,
            "drawing": conditions.drawing(form, refusal.errors, focus, scope.project),
            "editor": request.path,
            "as_json": "json" in form,
        }

    name = "cohorts/segment_edit.html" if segment else "cohorts/segment_create.html"
    page = (name, "cohorts/_segment_form.html")
    if command:
        return show_form(request, page, context(Refusal()))
    return governed(request, page, context, save)


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
