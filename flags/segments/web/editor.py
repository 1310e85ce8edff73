import json
from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from flags.core.parsing import segment_from
from flags.engine import FlagDefinition, ValueType, Variant
from flags.models import Segment
from flags.segments import changes as segment_changes, services as segment_services
from flags.segments.web.saving import Review, find_segment, page_of, review_dialog
from flags.targeting import documents, editing
from flags.targeting.documents import Catalogue, segments_of
from flags.targeting.form import FIELDS as TARGETING_FIELDS
from flags.targeting.nodes import Drawing
from portal.access.models import Project
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from portal.lib.web.pages import (
    Fields,
    Refusal,
    governed,
    read_form,
    read_json,
    redirect_to,
    sent_version,
    show_form,
    texts,
)

Form = dict[str, Any]
FIELDS: Fields = {
    **texts("key", "name", "description", "keyed_by", "version", "json"),
    "rules": TARGETING_FIELDS["rules"],
}
_RULE = "rules[0]"
_ON = "on"
_NO_FLAG = FlagDefinition("-", ValueType.BOOLEAN, (Variant(_ON, True),))
_GROUPS = ("all", "any")
_LEAVES = ("attribute", "segment", "jsonlogic")


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.SEGMENT_EDIT)
def create_segment(request: HttpRequest, scope: Scope) -> HttpResponse:
    form = _to_form({"when": {"any": []}})
    if request.method == "POST":
        form = read_form(request.POST.items(), FIELDS)

    def save() -> HttpResponse:
        segment = segment_services.create_segment(
            project=scope.project, document=_to_document(form), intent=Intent(scope.actor)
        )
        text = _("{segment} created. List users in it, or use it in a rule.")
        return redirect_to(request, page_of(segment), text.format(segment=segment.title))

    return _edit(request, scope, None, form, save)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.SEGMENT_EDIT)
def edit_segment(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    segment = find_segment(scope, key)
    form = _to_form(segment.document)
    if request.method == "POST":
        form = read_form(request.POST.items(), FIELDS) | {"key": segment.key}

    def save() -> HttpResponse:
        document = _to_document(form)
        segment_from(document)
        after = segment.document | document
        words = segment_changes.segment_words(segment.project, segment.document, after)
        return review_dialog(request, scope, segment, Review(after, sent_version(request), words))

    return _edit(request, scope, segment, form, save)


def _edit(
    request: HttpRequest,
    scope: Scope,
    segment: Segment | None,
    form: Form,
    save: Callable[[], HttpResponse],
) -> HttpResponse:
    command = request.POST.get("do", "")
    focus = editing.apply(form, command, _NO_FLAG) if command else ""

    def context(refusal: Refusal) -> dict[str, object]:
        return {
            "scope": scope,
            "one": segment,
            "page": page_of(segment) if segment else "",
            "tab": "edit",
            "form": form,
            "drawing": _drawing(form, refusal.errors, focus, scope.project),
            "editor": request.path,
            "as_json": "json" in form,
        }

    name = "flags/segments/segment_edit.html" if segment else "flags/segments/segment_create.html"
    page = (name, "flags/segments/_segment_form.html")
    if command:
        return show_form(request, page, context(Refusal()))
    return governed(request, page, context, save)


def _to_form(document: Form) -> Form:
    form = {name: document.get(name, "") for name in ("key", "name", "description", "keyed_by")}
    drawn = _drawn(document["when"])
    if drawn is None:
        return form | {"json": json.dumps(document["when"], ensure_ascii=False, indent=2)}
    return form | drawn


def _to_document(form: Form) -> Form:
    not_json = _('Write it as JSON, such as {{"segment": "beta"}}.').format()
    return {
        "key": form.get("key", "").strip(),
        "name": form.get("name", "").strip(),
        "description": form.get("description", "").strip(),
        "keyed_by": form.get("keyed_by", "").strip() or "targetingKey",
        "when": read_json(form["json"], "when", not_json) if "json" in form else _to_when(form),
    }


def _drawn(when: Mapping[str, Any]) -> Form | None:
    if not _is_drawable(when):
        return None
    rule = {"id": "r", "when": when, "serve": {"variant": _ON}}
    document = {"off_variant": _ON, "salt": "s", "targets": [], "rules": [rule]}
    form = documents.to_form(document | {"fallthrough": {"variant": _ON}}, _NO_FLAG)
    return {"rules": form["rules"]}


def _to_when(form: Form) -> Any:
    rules = form.get("rules") or [{"when": {"match": "any"}}]
    whole = {"rules": rules[:1], "fallthrough": {"variant": _ON}, "off_variant": _ON}
    try:
        document: Any = documents.to_document(whole, enabled=False)
    except Invalid as error:
        found = error.problems.items()
        raise Invalid({path.removeprefix(f"{_RULE}."): text for path, text in found}) from None
    return document["rules"][0]["when"]


def _drawing(form: Form, errors: Mapping[str, str], focus: str, project: Project) -> Drawing:
    """The editor's part, ready to draw; a segment cannot ask what flags serve."""
    problems = {
        documents.form_path(f"{_RULE}.{path}" if path.startswith("when") else path): text
        for path, text in errors.items()
    }
    catalogue = Catalogue(segments=segments_of(project), may_ask_flags=False)
    return Drawing({"rules": form.get("rules", [])}, problems, focus, catalogue)


def _is_drawable(when: Mapping[str, Any]) -> bool:
    if "not" in when:
        return _is_drawable(when["not"])
    for name in _GROUPS:
        if name in when:
            return all(_is_drawable(part) for part in when[name])
    return any(name in when for name in _LEAVES)
