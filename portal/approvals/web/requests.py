from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals.freezes.selectors import freezes_in_force
from portal.approvals.models import ChangeRequest
from portal.approvals.web.context import EmergencyView, find_request, request_context
from portal.approvals.web.preflight import may_override
from portal.approvals.web.steps import Step
from portal.audit.web.lines import pulse
from portal.lib import clock
from portal.lib.web.live import draw, live_page
from portal.lib.web.pages import aimed


@dataclass(frozen=True, slots=True)
class Ask:
    title: Promise
    button: Promise
    address: str
    css: str = "btn-primary"
    field: str = ""
    label: Promise | str = ""
    required: bool = False
    verdict: str = ""


_COMMENT = _("Comment")
ASKS = {
    "approve": Ask(
        _("Approve this change"),
        _("Approve"),
        "change-request-vote",
        "btn-success",
        "comment",
        _COMMENT,
        verdict="approve",
    ),
    "reject": Ask(
        _("Reject this change"),
        _("Reject"),
        "change-request-vote",
        "btn-danger",
        "comment",
        _("What has to be fixed"),
        required=True,
        verdict="reject",
    ),
    "take_back": Ask(_("Take back your vote"), _("Take back"), "change-request-take-back"),
    "adopt": Ask(_("Adopt this request"), _("Adopt"), "change-request-adopt"),
    "apply": Ask(_("Apply this change now"), _("Apply now"), "change-request-apply"),
    "renew": Ask(_("Bring this request up to date"), _("Bring up to date"), "change-request-renew"),
    "withdraw": Ask(
        _("Withdraw this request"), _("Withdraw"), "change-request-withdraw", "btn-danger"
    ),
    "confirm": Ask(_("Let the emergency change stay"), _("Confirm"), "emergency-confirm"),
    "revert": Ask(
        _("Revert the emergency change"), _("Revert now"), "emergency-revert", "btn-danger"
    ),
    "review": Ask(
        _("Review the emergency change"),
        _("Save the review"),
        "emergency-review",
        field="text",
        label=_("What happened, and was it right?"),
        required=True,
    ),
}


@require_safe
@project_page(Permission.FLAG_VIEW)
def show_request(request: HttpRequest, scope: Scope, number: int) -> HttpResponse:
    now, asked = clock.now(), find_request(scope, number)

    def context() -> dict[str, object]:
        return request_context(scope, asked, now) | {"live_url": request.path}

    return live_page(request, "approvals/request", pulse(now), context)


@require_safe
@project_page(Permission.FLAG_VIEW)
def ask_request(request: HttpRequest, scope: Scope, number: int) -> HttpResponse:
    step = request.GET.get("step", "")
    if step not in ASKS:
        raise Http404(step)
    return dialog(request, scope, find_request(scope, number), step)


def dialog(
    request: HttpRequest,
    scope: Scope,
    asked: ChangeRequest,
    name: str,
    *,
    problem: str = "",
    typed: str = "",
) -> HttpResponse:
    context = request_context(scope, asked, clock.now())
    if name == "apply" and not asked.turns_off:
        frozen = freezes_in_force(asked.environments.all(), clock.now())
        context |= {"frozen": frozen, "may_override": may_override(scope, frozen)}
    ask = ASKS[name]
    context |= {
        "ask": ask,
        "name": name,
        "step": _step(context, name),
        "action": reverse(ask.address, args=[scope.project.key, asked.pk]),
        "problem": problem,
        "typed": typed,
    }
    response = render(
        request, "approvals/_ask_dialog.html", context, status=422 if problem else 200
    )
    return aimed(response, "dialog", "innerHTML")


def shown_again(
    request: HttpRequest, scope: Scope, number: int, notice: str, *, status: int = 200
) -> HttpResponse:
    now = clock.now()
    asked = find_request(scope, number)
    address = reverse("change-request", args=[scope.project.key, number])
    context = request_context(scope, asked, now) | {"live_url": address}
    context |= {"notice": notice, "error": status >= 400}
    drawn = draw(request, "approvals/request", context, pulse(now))
    response = render(request, "approvals/_request_changed.html", drawn, status=status)
    return aimed(response, "request")


def _step(context: dict[str, object], name: str) -> Step:
    steps, emergency = context["steps"], context["emergency"]
    assert isinstance(steps, dict)
    found = {**steps}
    if isinstance(emergency, EmergencyView):
        found |= {step.name: step for step in emergency.steps}
    if name not in found:
        raise Http404(name)
    return Step(name, found[name].why_not)
