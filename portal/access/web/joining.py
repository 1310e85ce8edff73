"""Where the link of an invitation leads: for people who may not have an account yet."""

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import record_authentication
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from portal.access import overview, services
from portal.access.models import Invitation
from portal.access.web.scope import refuse_nul
from portal.lib import clock, subjects
from portal.lib.errors import Invalid
from portal.lib.middleware import trace_of


@login_not_required
@sensitive_post_parameters("password", "password_again")
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Says what the link offers; a POST accepts it. Nothing happens by looking."""
    refuse_nul(request)
    invited = services.open_invitation(token=token, now=clock.now())
    if request.method != "POST":
        return _page(request, invited)
    if request.user.is_authenticated:
        services.accept_invitation(
            token=token, user=request.user, trace=trace_of(request), now=clock.now()
        )
        return redirect(subjects.menu()[0].page, project=invited.project.key)
    try:
        _join(request, token)
    except Invalid as error:
        return _page(request, invited, refused=error)
    return redirect(subjects.menu()[0].page, project=invited.project.key)


def _join(request: HttpRequest, token: str) -> None:
    """Create the account and sign it in; the session of before is not the one of after."""
    password = request.POST.get("password", "")
    if password != request.POST.get("password_again", ""):
        raise Invalid({"password_again": _("The two passwords are not the same.")})
    with transaction.atomic():
        _invitation, user = services.join_by_invitation(
            token=token,
            username=request.POST.get("username", "").strip(),
            password=password,
            trace=trace_of(request),
            now=clock.now(),
        )
        get_adapter(request).login(request, user)
        record_authentication(request, user, method="password")


def _page(
    request: HttpRequest, invited: Invitation, *, refused: Invalid | None = None
) -> HttpResponse:
    labels = overview.role_labels(invited.project)
    context = {
        "invitation": invited,
        "role": labels.get(invited.role, invited.role),
        "values": request.POST,
        "errors": refused.problems if refused else {},
    }
    return render(request, "access/join.html", context, status=422 if refused else 200)
