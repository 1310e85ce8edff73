from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import record_authentication
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.access import overview, services
from portal.access.permissions import Permission
from portal.access.signin import needs_fresh_sign_in
from portal.access.web.members import role_choices
from portal.access.web.scope import Scope, project_page, refuse_nul
from portal.lib import clock, subjects
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from portal.lib.middleware import trace_of
from portal.lib.paging import page_of
from portal.lib.web.pages import asked_places, governed, paging, render_page, replace_part


def _context(request: HttpRequest, scope: Scope) -> dict[str, object]:
    now, labels = clock.now(), overview.role_labels(scope.project)
    invitations = scope.project.invitations.select_related("environment", "accepted_by")
    after, before = asked_places(request)
    page = page_of(invitations, after=after, before=before)
    return {
        "scope": scope,
        "invitations": [
            (one, one.state_at(now), labels.get(one.role, one.role)) for one in page.rows
        ],
        "tab": "invitations",
        "live_url": reverse("invitation-list", args=[scope.project.key]),
        **paging(request, page),
    }


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_invitations(request: HttpRequest, scope: Scope) -> HttpResponse:
    page, fragment = "access/invitations.html", "access/_invitations.html"
    return render_page(request, page, fragment, _context(request, scope))


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.MEMBER_MANAGE)
@needs_fresh_sign_in
def create_invitation(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Make a link; it is shown this once."""
    context = role_choices(scope, request)

    def save() -> HttpResponse:
        sent = services.create_invitation(
            project=scope.project,
            role=request.POST.get("role", ""),
            environment=scope.one_or_all(request.POST.get("environment", "")),
            note=request.POST.get("note", ""),
            intent=Intent(scope.actor),
        )
        link = settings.PORTAL_URL.rstrip("/") + reverse("invitation", args=[str(sent.token)])
        shown = _context(request, scope) | {"link": link, "sent": sent.invitation}
        return render(request, "access/_invitation_created.html", shown)

    return governed(request, "access/_invitation_dialog.html", context, save)


@require_POST
@project_page(Permission.MEMBER_MANAGE)
def revoke_invitation(request: HttpRequest, scope: Scope, invitation: str) -> HttpResponse:
    found = get_object_or_404(scope.project.invitations, selector=invitation)
    services.revoke_invitation(invitation=found, intent=Intent(scope.actor))
    notice = _("The link no longer works.")
    return replace_part(request, "access/invitations", _context(request, scope), notice)


@login_not_required
@sensitive_post_parameters("password", "password_again")
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Says what the link offers; a POST accepts it. Nothing happens by looking."""
    refuse_nul(request)
    invited = services.open_invitation(token=token, now=clock.now())

    def save() -> HttpResponse:
        if request.user.is_authenticated:
            services.accept_invitation(
                token=token, user=request.user, trace=trace_of(request), now=clock.now()
            )
        else:
            _join(request, token)
        return redirect(subjects.menu()[0].page, project=invited.project.key)

    role = overview.role_labels(invited.project).get(invited.role, invited.role)
    context = {"invitation": invited, "role": role, "values": request.POST}
    return governed(request, ("access/join.html", "access/join.html"), context, save)


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
