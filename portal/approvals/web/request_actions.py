from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals import services
from portal.approvals.models import ChangeRequest
from portal.approvals.web.context import find_emergency, find_request, request_context
from portal.approvals.web.requests import dialog, shown_again
from portal.audit.web.lines import pulse
from portal.lib import clock
from portal.lib.errors import AviaryError, Invalid
from portal.lib.journal import Intent
from portal.lib.merging import Side
from portal.lib.web.live import draw
from portal.lib.web.pages import redirect_to, wants_fragment

RequestAction = Callable[[HttpRequest, Scope, ChangeRequest], str]


def request_action(
    *, step: str = "", field: str = ""
) -> Callable[[RequestAction], Callable[..., HttpResponse]]:
    """A form about a request: what was done is said, and what is true then is shown.

    An error says why not, and shows what is true now; what is wrong with the ``field`` in the
    dialog of a ``step`` is said in that dialog, with what was typed.
    """

    def decorate(do: RequestAction) -> Callable[..., HttpResponse]:
        @require_POST
        @project_page(Permission.FLAG_VIEW)
        @wraps(do)
        def view(request: HttpRequest, scope: Scope, number: int) -> HttpResponse:
            asked = find_request(scope, number)
            try:
                notice = do(request, scope, asked)
            except AviaryError as error:
                if not wants_fragment(request):
                    raise
                problems = error.problems if isinstance(error, Invalid) else {}
                if field and field in problems:
                    name = "reject" if request.POST.get("verdict") == "reject" else step
                    typed, problem = request.POST.get(field, ""), problems[field]
                    return dialog(request, scope, asked, name, problem=problem, typed=typed)
                return shown_again(request, scope, number, str(error), status=error.status)
            if not wants_fragment(request):
                return redirect_to(request, _address(scope, number), notice)
            return shown_again(request, scope, number, notice)

        return view

    return decorate


@request_action(step="approve", field="comment")
def vote(request: HttpRequest, scope: Scope, asked: ChangeRequest) -> str:
    verdict = request.POST.get("verdict", "")
    voted = services.cast_vote(
        request=asked,
        verdict=verdict,
        seen_digest=request.POST.get("digest", ""),
        comment=request.POST.get("comment", ""),
        intent=Intent(scope.actor),
    )
    if voted.problem:
        text = _("Your approval is kept, but it could not be applied: {problem}")
        return text.format(problem=voted.problem)
    if verdict == "reject":
        return _("Rejected. The author can edit the request to open it again.")
    applied = voted.request.state == "applied"
    return _("Approved, and applied: it is live.") if applied else _("Your approval counts.")


@request_action()
def take_back(request: HttpRequest, scope: Scope, asked: ChangeRequest) -> str:
    services.withdraw_vote(request=asked, intent=Intent(scope.actor))
    return _("Your vote is taken back.")


@request_action(step="apply", field="reason")
def apply_now(request: HttpRequest, scope: Scope, asked: ChangeRequest) -> str:
    services.apply_request(
        request=asked,
        intent=Intent(scope.actor, reason=request.POST.get("reason", "")),
        override_freeze=request.POST.get("override_freeze") == "1",
    )
    return _("Applied: it is live.")


@request_action()
def adopt(request: HttpRequest, scope: Scope, asked: ChangeRequest) -> str:
    adopted = services.adopt_request(request=asked, intent=Intent(scope.actor))
    if adopted.problem:
        text = _("You are responsible for this request now, but it could not be applied: {problem}")
        return text.format(problem=adopted.problem)
    return _("You are responsible for this request now; others approve it.")


@request_action()
def withdraw(request: HttpRequest, scope: Scope, asked: ChangeRequest) -> str:
    services.withdraw_request(request=asked, intent=Intent(scope.actor))
    return _("The request is withdrawn. Nothing was changed.")


@request_action(step="renew", field="prefer")
def renew(request: HttpRequest, scope: Scope, asked: ChangeRequest) -> str:
    chosen = request.POST.get("prefer", "")
    services.renew_request(
        request=asked,
        seen_digest=request.POST.get("digest", ""),
        intent=Intent(scope.actor),
        prefer=Side(chosen) if chosen in set(Side) else None,
    )
    return _("The request is up to date. What was voted before does not count any more.")


@require_POST
@project_page(Permission.FLAG_VIEW)
def comment(request: HttpRequest, scope: Scope, number: int) -> HttpResponse:
    asked = find_request(scope, number)
    text = request.POST.get("text", "")
    try:
        services.comment_on_request(request=asked, text=text, intent=Intent(scope.actor))
    except Invalid as error:
        if not wants_fragment(request):
            raise
        problem = error.problems.get("text", str(error))
        form = {"scope": scope, "asked": asked, "typed": text, "problem": problem}
        return render(request, "approvals/_comment_form.html", form, status=422)
    address = _address(scope, number)
    if not wants_fragment(request):
        return redirect_to(request, address)
    now = clock.now()
    context = request_context(scope, asked, now) | {"live_url": address, "oob": True}
    return render(
        request,
        "approvals/_commented.html",
        draw(request, "approvals/request", context, pulse(now)),
    )


@request_action()
def confirm(request: HttpRequest, scope: Scope, asked: ChangeRequest) -> str:
    emergency = find_emergency(scope, asked.pk)
    services.confirm_emergency(emergency=emergency, intent=Intent(scope.actor))
    return _("Confirmed: the change stays. Its review is still required.")


@request_action()
def revert(request: HttpRequest, scope: Scope, asked: ChangeRequest) -> str:
    emergency = find_emergency(scope, asked.pk)
    kept = services.revert_emergency(emergency=emergency, intent=Intent(scope.actor))
    if kept.superseded_at:
        return _("All that it changed has been changed again since; nothing was reverted.")
    return _("Reverted. What others changed meanwhile stays.")


@request_action(step="review", field="text")
def review(request: HttpRequest, scope: Scope, asked: ChangeRequest) -> str:
    emergency = find_emergency(scope, asked.pk)
    text = request.POST.get("text", "")
    services.review_emergency(emergency=emergency, text=text, intent=Intent(scope.actor))
    return _("Review saved.")


def _address(scope: Scope, number: int) -> str:
    return reverse("change-request", args=[scope.project.key, number])
