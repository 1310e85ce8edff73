from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals import selectors as approvals
from portal.approvals.models import ChangeRequest, State
from portal.approvals.web.preflight import (
    Revising,
    drift_of,
    editable_request,
    preflight,
    read_intent,
)
from portal.lib.errors import Forbidden, Invalid
from portal.lib.merging import side_of
from portal.lib.web.pages import (
    Refusal,
    governed,
    read_form,
    redirect_to,
    render_page,
    sent_version,
    show_form,
    texts,
)
from releases.policies import services
from releases.policies.descriptions import cohort_sentences, policy_sentences
from releases.policies.models import PlanTemplate, ReleasePolicy
from releases.web import check_form
from releases.web.plan_form import MOST_OFFERED

_PAGE = ("releases/release_policy.html", "releases/_release_policy.html")
_NAMES = ("environments", "services", "templates")
_FIELDS = {**texts("key", "name", "tags", "version"), "checks": [check_form.FIELDS]}
Form = dict[str, Any]


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_policies(request: HttpRequest, scope: Scope) -> HttpResponse:
    rows = ReleasePolicy.objects.filter(project=scope.project).select_related("project")
    context = {
        "scope": scope,
        "tab": "policies",
        "rows": [(one, [*policy_sentences(one.document)[1:], *_cohorts(one)]) for one in rows],
        "why_not": _why_not_anywhere(scope),
        "pending": approvals.requests_of(scope.project).filter(
            state=State.OPEN, subject_kind="release_policy"
        ),
    }
    return render_page(
        request, "releases/release_policies.html", "releases/_release_policies.html", context
    )


def _cohorts(policy: ReleasePolicy) -> list[str]:
    rows = PlanTemplate.objects.filter(project=policy.project_id, key__in=policy.templates)
    keys = {key for plan in rows.values_list("plan", flat=True) for key in plan["cohorts"]}
    return cohort_sentences(policy.project, keys) if keys else []


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def create_policy(request: HttpRequest, scope: Scope) -> HttpResponse:
    return _edit(request, scope, "")


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def edit_policy(request: HttpRequest, scope: Scope, policy: str) -> HttpResponse:
    return _edit(request, scope, policy)


def _edit(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    """The page of the form. With ``do`` it is rearranged; otherwise it is saved when sent.

    Where it edits a request, it begins with what that asks for on top of what is there now: that
    may be nothing yet.
    """
    revise = Revising.sent(request)
    asked = _asked(scope, key, str(revise.number) if revise else request.GET.get("request", ""))
    found = ReleasePolicy.objects.filter(project=scope.project, key=key).first()
    if key and not (found or asked):
        raise Http404(key)
    drift = drift_of(asked, side_of(request.GET.get("prefer", ""))) if asked else None
    stored = drift.document if drift else found.document if found else {}
    form = _sent(request) if request.method == "POST" else _form_of(stored)
    draw = partial(_context, request, scope, found, form | {"key": key or form.get("key", "")})
    if request.method != "POST":
        context = {"key": key, "revise": Revising.of(asked), "drift": drift}
        return show_form(request, _PAGE, draw(Refusal()) | context)
    if request.POST.get("do"):
        return show_form(request, _PAGE, draw(Refusal()) | {"key": key, "revise": revise})

    def save() -> HttpResponse:
        if not key and _known(scope, form["key"]):
            text = _("There is a release policy with this key already; choose another.")
            raise Invalid({"key": text})
        kept = services.put_policy(
            project=scope.project,
            key=key or form["key"],
            document=_document(form),
            expected_version=sent_version(request),
            intent=read_intent(request, scope),
        )
        notice = _("Saved the release policy {name}.").format(name=kept.name)
        return redirect_to(request, _list_of(scope), notice)

    return governed(request, _PAGE, lambda r: draw(r) | {"key": key, "revise": revise}, save)


def _asked(scope: Scope, key: str, wanted: str) -> ChangeRequest | None:
    """The request that is edited; None for none, and for one that deletes a policy."""
    asked = editable_request(scope, wanted, kind=services.POLICY, subject=key) if key else None
    return asked if asked and asked.after else None


def _form_of(stored: Mapping[str, Any]) -> Form:
    if not stored:
        return {name: [] for name in (*_NAMES, "checks")}
    checks = [check_form.row_of(one) for one in stored["checks"]]
    return {**stored, "tags": ", ".join(stored["tags"]), "checks": checks}


def _sent(request: HttpRequest) -> Form:
    form: Form = {"key": "", "name": "", "tags": "", "checks": []}
    form |= read_form(request.POST.items(), _FIELDS)
    form["checks"] = check_form.rearranged(form["checks"], request.POST.get("do", ""))
    form["key"] = form["key"].strip()
    return form | {name: request.POST.getlist(name) for name in _NAMES}


def _document(form: Form) -> dict[str, Any]:
    tags = [tag.strip() for tag in form["tags"].split(",")]
    return {
        "name": form["name"].strip(),
        "tags": [*dict.fromkeys(tag for tag in tags if tag)],
        "checks": [check_form.document_of(row) for row in form["checks"]],
        **{name: form[name] for name in _NAMES},
    }


def _context(
    request: HttpRequest, scope: Scope, found: ReleasePolicy | None, form: Form, refusal: Refusal
) -> dict[str, Any]:
    named = found.environments if found else form["environments"]
    places = _concerned(scope, form["environments"], named)
    errors = refusal.errors
    return {
        "scope": scope,
        "found": found,
        "form": form,
        "form_url": request.path,
        "form_id": "release-policy",
        "version": form.get("version") or (found.version if found else 0),
        "environments": scope.environments,
        "services": scope.project.services.all()[:MOST_OFFERED],
        "templates": PlanTemplate.objects.filter(project=scope.project)[:MOST_OFFERED],
        "checks": check_form.inputs_of(form["checks"], "checks", errors),
        "errors": errors,
        "problems": _problems(form, errors),
        "why_not": _why_not(scope, places) if found else _why_not_anywhere(scope),
        "why_not_these": _why_not(scope, places),
        "preflight": _preflight(scope, places),
        **check_form.CHOICES,
    }


def _problems(form: Form, errors: Mapping[str, str]) -> list[str]:
    beside = {
        f"checks[{n}].{name}" for n in range(len(form["checks"])) for name in check_form.BESIDE
    }
    return [text for path, text in errors.items() if path not in {*beside, "key", "name", "tags"}]


def _concerned(scope: Scope, *named: list[str]) -> list[Environment]:
    found = {
        place.pk: place for names in named for place in services.places_of(scope.project, names)
    }
    return list(found.values())


def _preflight(scope: Scope, places: list[Environment]) -> Any:
    """Nothing that applications get changes, so no freeze is in the way and no glass is broken."""
    seen = preflight(scope, places, turns_off=False)
    return replace(seen, frozen=[], may_break_glass=False)


def _why_not(scope: Scope, places: list[Environment]) -> str:
    wanted = Permission.ENVIRONMENT_CONFIGURE
    lacking = [place.name for place in places if not scope.allows(wanted, place)]
    text = _("{permission} in {places}")
    named = text.format(permission=wanted.label, places=", ".join(lacking))
    return str(Forbidden(named)) if lacking else ""


def _why_not_anywhere(scope: Scope) -> str:
    places = scope.environments
    wanted = Permission.ENVIRONMENT_CONFIGURE
    may = any(scope.allows(wanted, place) for place in places)
    return "" if may else str(Forbidden(wanted))


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def delete_policy(request: HttpRequest, scope: Scope, policy: str) -> HttpResponse:
    found = _find(scope, policy)

    def save() -> HttpResponse:
        services.delete_policy(
            project=scope.project, key=found.key, intent=read_intent(request, scope)
        )
        notice = _("{name} is deleted; the history keeps what it was.").format(name=found.name)
        return redirect_to(request, _list_of(scope), notice)

    places = services.places_of(scope.project, found.environments)
    context = {
        "scope": scope,
        "name": found.name,
        "text": _("Releases that it was attached to keep its checks."),
        "why_not": _why_not(scope, places),
        "preflight": _preflight(scope, places),
        "takes_reason": True,
    }
    return governed(request, "releases/_delete_dialog.html", context, save)


def _find(scope: Scope, key: str) -> ReleasePolicy:
    rows = ReleasePolicy.objects.select_related("project")
    return get_object_or_404(rows, project=scope.project, key=key)


def _known(scope: Scope, key: str) -> bool:
    return ReleasePolicy.objects.filter(project=scope.project, key=key).exists()


def _list_of(scope: Scope) -> str:
    return reverse("release-policies", args=[scope.project.key])
