import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.signin import needs_fresh_sign_in
from portal.access.web.scope import Scope, project_page
from portal.approvals import approval_progress, selectors
from portal.approvals.descriptions import policy_changes, policy_sentence, policy_sentences
from portal.approvals.models import ChangeRequest, Policy, State
from portal.approvals.policies import services as policy_services
from portal.approvals.policies.rules import DEFAULTS, Names, complete, is_lowering, problems_of
from portal.approvals.policies.services import POLICY, names_for
from portal.approvals.web.context import shown
from portal.approvals.web.preflight import drift_of
from portal.lib import clock
from portal.lib.errors import Conflict
from portal.lib.journal import Intent, WriteOptions
from portal.lib.merging import side_of
from portal.lib.numbers import read_whole
from portal.lib.web.pages import (
    Refusal,
    aimed,
    read_form,
    redirect_to,
    sent_document,
    sent_version,
    show_form,
    texts,
)

KNOWN_EVIDENCE = ("security_scan", "performance_test")
_FIELDS = {
    **texts("approvals", "minutes", "days", "turning_off"),
    "evidence": [texts("kind", "scope")],
}


@dataclass(frozen=True, slots=True)
class Choice:
    name: str
    ticked: bool
    is_group: bool


@dataclass(frozen=True, slots=True)
class PolicyForm:
    """What the inputs hold. ``left_out`` are roles that could never satisfy a policy here."""

    approvals: object
    roles: list[Choice]
    left_out: list[str]
    evidence: list[tuple[str, str]]
    turning_off: bool
    glass: list[Choice]
    minutes: object
    days: object


def filled(document: Mapping[str, Any] | None, names: Names) -> PolicyForm:
    """The form for a document; for None, a proposal for who has no policy yet."""
    values = {"required_approvals": 1, **DEFAULTS, **(document or {})}
    wanted = values["required_roles"]
    approving = [
        name
        for name, held in names.roles.items()
        if Permission.CHANGE_REQUEST_APPROVE in held or name in wanted
    ]
    kinds = [*KNOWN_EVIDENCE, *(kind for kind in values["evidence"] if kind not in KNOWN_EVIDENCE)]
    return PolicyForm(
        approvals=values["required_approvals"],
        roles=_choices([*approving, *sorted(names.groups)], wanted, names),
        left_out=[name for name in names.roles if name not in approving],
        evidence=[(kind, values["evidence"].get(kind, "")) for kind in kinds],
        turning_off=values["turning_off_needs_approval"],
        glass=_choices([*names.roles, *sorted(names.groups)], values["break_glass"], names),
        minutes=values["break_glass_minutes"],
        days=values["independence_days"],
    )


def read(posted: QueryDict) -> dict[str, Any]:
    """The document that was filled in; other text than numbers stays, for the rules to refuse."""
    form = read_form(posted.items(), _FIELDS)
    evidence = {
        row["kind"].strip(): row.get("scope", "")
        for row in form.get("evidence", [])
        if row.get("kind", "").strip() and row.get("scope")
    }
    return {
        "required_approvals": _whole(form.get("approvals", "")),
        "required_roles": posted.getlist("roles"),
        "evidence": evidence,
        "turning_off_needs_approval": form.get("turning_off") == "1",
        "break_glass": posted.getlist("glass"),
        "break_glass_minutes": _whole(form.get("minutes", "")),
        "independence_days": _whole(form.get("days", "")),
    }


def _choices(known: list[str], ticked: list[str], names: Names) -> list[Choice]:
    gone = [name for name in ticked if name not in known]
    return [Choice(name, name in ticked, name in names.groups) for name in [*known, *gone]]


def _whole(text: str) -> int | str:
    number = read_whole(text.strip(), most=999_999)
    return text.strip() if number is None else number


Document = Mapping[str, Any]
_DIALOG = "approvals/policies/_policy_dialog.html"


@require_safe
@project_page(Permission.FLAG_VIEW)
def show_policy(request: HttpRequest, scope: Scope, environment: str) -> HttpResponse:
    place = scope.environment(environment)
    policy = _policy_of(place)
    asked = _asked(scope, place, request.GET.get("request", ""))
    drift = drift_of(asked, side_of(request.GET.get("prefer", ""))) if asked else None
    document = (drift.document if drift else None) or (policy.document if policy else None)
    context = _context(scope, place, policy) | {
        "form": filled(document, names_for(place)),
        "asked": asked,
        "drift": drift,
        "open_requests": selectors.requests_of(scope.project).filter(
            kind=POLICY, subject=place.key, state=State.OPEN
        ),
    }
    return render(request, "approvals/policies/policy.html", context)


@require_POST
@project_page(Permission.ENVIRONMENT_CONFIGURE)
def review_policy(request: HttpRequest, scope: Scope, environment: str) -> HttpResponse:
    place = scope.environment(environment)
    policy, names = _policy_of(place), names_for(place)
    asked = _asked(scope, place, request.POST.get("request", ""))
    wanted = None if request.POST.get("without") else read(request.POST)
    problems = problems_of(wanted, names) if wanted is not None else {}
    if problems:
        context = _context(scope, place, policy) | {
            "form": filled(wanted, names),
            "asked": asked,
            "problems": problems,
            "version": request.POST.get("version", ""),
        }
        response = render(request, "approvals/policies/_policy_form.html", context, status=422)
        return aimed(response, "policy-form")
    shown = _review(request, scope, place, wanted)
    response = render(request, _DIALOG, shown, status=409 if shown["stale"] else 200)
    return aimed(response, "dialog", "innerHTML")


@require_POST
@project_page(Permission.ENVIRONMENT_CONFIGURE)
@needs_fresh_sign_in
def save_policy(request: HttpRequest, scope: Scope, environment: str) -> HttpResponse:
    place = scope.environment(environment)
    # null is no policy
    wanted = None if request.POST.get("document") == "null" else sent_document(request)
    asked = _asked(scope, place, request.POST.get("request", ""))
    try:
        policy_services.set_policy(
            environment=place,
            document=wanted,
            expected_version=sent_version(request),
            intent=Intent(
                scope.actor,
                reason=request.POST.get("reason", ""),
                options=WriteOptions(revise=asked.pk if asked else None),
            ),
        )
    except Conflict as conflict:
        return show_form(
            request, _DIALOG, _review(request, scope, place, wanted), Refusal(conflict)
        )
    notice = _("The policy of {environment} is in force.")
    if wanted is None:
        notice = _("Changes in {environment} no longer need approval.")
    address = reverse("policy", args=[scope.project.key, place.key])
    return redirect_to(request, address, notice.format(environment=place.name))


def _context(scope: Scope, place: Environment, policy: Policy | None) -> dict[str, object]:
    return {
        "scope": scope,
        "place": place,
        "policy": policy,
        "sentences": policy_sentences(policy.document) if policy else [],
        "version": str(policy.version if policy else 0),
        "may_edit": scope.allows(Permission.ENVIRONMENT_CONFIGURE, place),
    }


def _review(
    request: HttpRequest, scope: Scope, place: Environment, wanted: Document | None
) -> dict[str, object]:
    policy, version = _policy_of(place), request.POST.get("version", "")
    before = policy.document if policy else None
    wanted = None if wanted is None else complete(wanted)
    return _context(scope, place, policy) | {
        "wanted": json.dumps(wanted),
        "asked": _asked(scope, place, request.POST.get("request", "")),
        "same": wanted == before,
        "changes": policy_changes(before or {}, wanted or {}),
        "lowering": before is not None and is_lowering(before, wanted),
        "present": policy_sentence(policy) if policy else "",
        "too_few": approval_progress.too_few(place, wanted, now=clock.now()) if wanted else "",
        "stale": version != str(policy.version if policy else 0),
        "conflict": None,
        "theirs": shown(before or {}),
        "yours": shown(wanted or {}),
    }


def _policy_of(place: Environment) -> Policy | None:
    policy = selectors.policies_of([place]).get(place.pk)
    if policy is not None:
        policy.environment = place
    return policy


def _asked(scope: Scope, place: Environment, number: str) -> ChangeRequest | None:
    if not number:
        return None
    requests = selectors.requests_of(scope.project)
    wanted = read_whole(number) or 0
    return get_object_or_404(requests, pk=wanted, kind=POLICY, subject=place.key)
