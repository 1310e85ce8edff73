import json
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from flags.core import change_descriptions, definitions, naming, selectors
from flags.core.changes import DEFINITION
from flags.core.parsing import definition_from
from flags.core.web.rows import FlagRow, find_flag
from flags.engine import Kind, ValueType
from flags.models import Flag
from flags.references import effects
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals import selectors as approvals
from portal.approvals.web.preflight import (
    Revising,
    drift_of,
    editable_request,
    preflight,
    read_intent,
)
from portal.audit.filters import Filters
from portal.audit.web.lines import history_page
from portal.lib import strict_json
from portal.lib.errors import refuse
from portal.lib.journal import Intent
from portal.lib.merging import Side, side_of
from portal.lib.web.pages import (
    Fields,
    Refusal,
    governed,
    read_form,
    redirect_to,
    render_page,
    sent_version,
    show_form,
    texts,
)

Form = dict[str, Any]
FIELDS: Fields = {
    **texts("key", "name", "kind", "value_type", "description", "owner", "tags", "version"),
    **texts("client_visible", "permanent", "json_schema"),
    "variants": [texts("key", "value", "description")],
}
STARTING_VARIANTS = {
    "boolean": [("on", "true"), ("off", "false")],
    "string": [("a", "first"), ("b", "second")],
    "integer": [("low", "10"), ("high", "20")],
    "number": [("low", "0.5"), ("high", "1.5")],
    "object": [("a", '{"title": "Hello"}'), ("b", "{}")],
}


_PAGE = ("flags/core/settings.html", "flags/core/_definition_form.html")
_NEW_PAGE = ("flags/core/create.html", "flags/core/_definition_form.html")


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_EDIT)
def create_flag(request: HttpRequest, scope: Scope) -> HttpResponse:
    form = _new_form("boolean", request.GET.get("key", ""))
    if request.method == "POST":
        form = _rearrange(read_form(request.POST.items(), FIELDS), request.POST.get("do", ""))
    draw = partial(_context, request, scope, None, form)
    if request.POST.get("do"):
        return show_form(request, _NEW_PAGE, draw(Refusal()))

    def save() -> HttpResponse:
        flag = definitions.create_flag(
            project=scope.project, document=_to_document(form), intent=Intent(scope.actor)
        )
        message = _("{flag} created, off in every environment.").format(flag=flag.title)
        return redirect_to(request, _address("flag", scope, flag), message)

    return governed(request, _NEW_PAGE, draw, save)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def edit_flag(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    flag = find_flag(scope, key)
    if request.method != "POST":
        wanted = request.GET.get("request", "")
        asked = editable_request(scope, wanted, kind=DEFINITION, subject=flag.key)
        drift = drift_of(asked, side_of(request.GET.get("prefer", ""))) if asked else None
        form = _to_form(flag, drift.document if drift else flag.document)
        context = _context(request, scope, flag, form, Refusal())
        return show_form(request, _PAGE, context | {"revise": Revising.of(asked), "drift": drift})
    form = read_form(request.POST.items(), FIELDS)
    form |= {"key": flag.key, "value_type": flag.value_type}
    form = _rearrange(form, request.POST.get("do", ""))
    draw = partial(_context, request, scope, flag, form)
    if request.POST.get("do"):
        return show_form(request, _PAGE, draw(Refusal()))

    def save() -> HttpResponse:
        definitions.edit_flag(
            flag=flag,
            document=_wanted(request, scope, flag, form),
            expected_version=sent_version(request),
            intent=read_intent(request, scope),
        )
        message = _("Saved in every environment.")
        return redirect_to(request, _address("flag-settings", scope, flag), message)

    return governed(request, _PAGE, draw, save)


def _served_places(scope: Scope, flag: Flag | None) -> list[Environment]:
    """Where applications may get something else by an edit of a flag; nowhere by a new one."""
    places = scope.environments
    return effects.of_archiving(flag, places) if flag and not flag.is_archived else []


def _context(
    request: HttpRequest, scope: Scope, flag: Flag | None, form: Form, refusal: Refusal
) -> dict[str, object]:
    """The form; of a conflict also what it would change in what is saved now."""
    changes: list[str] = []
    if flag and refusal.conflict:
        changes = change_descriptions.definition_changes(
            flag.definition, definition_from(_wanted(request, scope, flag, form))
        )
    return {
        "scope": scope,
        "flag": flag,
        "row": FlagRow(flag) if flag else None,
        "tab": "settings",
        "form": form | {"variants": _with_errors(form, refusal.errors)},
        "changes": changes,
        "revise": Revising.sent(request),
        "preflight": preflight(scope, _served_places(scope, flag), turns_off=False),
        "pending": approvals.open_requests(
            scope.project, subject_kind="flag", subject=flag.key if flag else ""
        ),
        "kinds": [(kind.value, kind.value.replace("_", " ")) for kind in Kind],
        "value_types": [value_type.value for value_type in ValueType],
        "owners": selectors.possible_owners(scope.project),
        "known_tags": selectors.known_tags(scope.project),
        "rule": None if flag else naming.rule_of(scope.project),
    }


def _with_errors(form: Form, errors: dict[str, str]) -> list[Form]:
    rows = enumerate(_variants(form))
    return [row | {"error": errors.get(f"variants[{index}].value", "")} for index, row in rows]


def _new_form(value_type: str, key: str) -> Form:
    variants = _starting(value_type)
    return {"key": key, "kind": "release", "value_type": value_type, "variants": variants}


def _starting(value_type: str) -> list[Form]:
    pairs = STARTING_VARIANTS.get(value_type, STARTING_VARIANTS["boolean"])
    return [{"key": key, "value": value} for key, value in pairs]


def _started_from(request: HttpRequest, scope: Scope, flag: Flag) -> Form:
    revising = Revising.sent(request)
    number = str(revising.number) if revising else ""
    asked = editable_request(scope, number, kind=DEFINITION, subject=flag.key)
    return drift_of(asked, Side.MINE).document if asked else flag.document


def _to_form(flag: Flag, document: Form) -> Form:
    variants = [
        {
            "key": variant["key"],
            "value": _value_text(variant["value"], flag.value_type),
            "description": variant.get("description", ""),
        }
        for variant in document["variants"]
    ]
    schema = document.get("json_schema")
    text = "" if schema is None else _value_text(schema, "object")
    return {**document, "variants": variants, "tags": ", ".join(document["tags"])} | {
        "json_schema": text
    }


def _value_text(value: object, value_type: str) -> str:
    if value_type == "string":
        return str(value)
    return json.dumps(value, ensure_ascii=False, indent=2 if value_type == "object" else None)


def _to_document(form: Form) -> Form:
    value_type = form.get("value_type", "")
    problems: dict[str, str] = {}
    variants = []
    for index, row in enumerate(_variants(form)):
        variant = {"key": row.get("key", "").strip(), "value": row.get("value", "")}
        if row.get("description", "").strip():
            variant["description"] = row["description"].strip()
        if value_type != "string":
            variant["value"] = _parsed(variant["value"], f"variants[{index}].value", problems)
        variants.append(variant)
    schema = {}
    if value_type == "object" and form.get("json_schema", "").strip():
        schema["json_schema"] = _parsed(form["json_schema"], "json_schema", problems)
    refuse(problems)
    return schema | {
        "key": form.get("key", "").strip(),
        "name": form.get("name", "").strip(),
        "kind": form.get("kind", ""),
        "value_type": value_type,
        "variants": variants,
        "client_visible": form.get("client_visible") == "on",
        "permanent": form.get("permanent") == "on",
        "description": form.get("description", "").strip(),
        "owner": form.get("owner", "").strip(),
        "tags": [tag.strip() for tag in form.get("tags", "").split(",") if tag.strip()],
    }


def _wanted(request: HttpRequest, scope: Scope, flag: Flag, form: Form) -> Form:
    """The document that the form of a flag asks for. Raises Invalid for values that cannot be read.

    What answers carry along for flags of other products is not to edit, nor to lose.
    """
    document, started = _to_document(form), _started_from(request, scope, flag)
    unseen = {
        variant["key"]: {
            name: variant[name] for name in ("served_as", "metadata") if name in variant
        }
        for variant in started["variants"]
    }
    variants = [variant | unseen.get(variant["key"], {}) for variant in document["variants"]]
    return document | {"variants": variants, "metadata": started["metadata"]}


def _parsed(text: str, path: str, problems: dict[str, str]) -> object:
    try:
        return strict_json.loads_text(text)
    except strict_json.NotStrict:
        problems[path] = _('Write it as JSON: true, 12, 0.5 or {{"a": 1}}.').format()
        return None


def _rearrange(form: Form, command: str) -> Form:
    verb, _colon, place = command.partition(":")
    variants = _variants(form)
    if verb == "add-variant":
        variants.append({"key": "", "value": ""})
    elif verb == "remove-variant" and place in map(str, range(len(variants))) and variants[1:]:
        del variants[int(place)]
    elif verb == "value-type":
        variants = _starting(form.get("value_type", ""))
    return form | {"variants": variants}


def _variants(form: Form) -> list[Form]:
    rows = form.get("variants", [])
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _address(name: str, scope: Scope, flag: Flag) -> str:
    return reverse(name, kwargs={"project": scope.project.key, "key": flag.key})


# What happened to a flag: its part of the history, newest first.


@require_safe
@project_page(Permission.AUDIT_VIEW)
def flag_history(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    flag = find_flag(scope, key)
    filters = Filters(project=scope.project.key, kind="flag", subject=key)
    context = {
        "scope": scope,
        "flag": flag,
        "row": FlagRow(flag),
        "tab": "history",
        **history_page(request, filters),
    }
    return render_page(request, "flags/core/history.html", "flags/core/_history.html", context)
