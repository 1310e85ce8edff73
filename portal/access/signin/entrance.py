from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.views import LoginView
from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth import views
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, Exists, OuterRef
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portal.access import selectors, services
from portal.access.models import User
from portal.access.signin import oidc, people, sessions, throttle
from portal.access.signin.adapters import AccountAdapter
from portal.access.signin.freshness import needs_fresh_sign_in
from portal.access.signin.sessions import actor_of, person_of
from portal.access.signin.throttle import LockedOut
from portal.lib.web.pages import redirect_to


class SignIn(LoginView):
    template_name = "signin/sign_in.html"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().post(request, *args, **kwargs)
        except LockedOut as error:
            context = self.get_context_data(form=self.get_form(), locked=str(error))
            headers = {"Retry-After": str(error.wait_s)}
            return self.render_to_response(context, status=429, headers=headers)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        wanted = self.request.POST.get("next") or self.request.GET.get("next", "")
        context = {"next": wanted, "provider": settings.OIDC.get("name")}
        return super().get_context_data(**kwargs) | context


class EnterCode(AuthenticateView):
    template_name = "signin/code.html"


@login_not_required
@require_POST
def start_over(request: HttpRequest) -> HttpResponse:
    """Give up the second step; a signed-in person stays signed in."""
    if not request.user.is_authenticated:
        request.session.flush()
    return redirect("sign-in")


class SignOut(views.LogoutView):
    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if request.user.is_authenticated:
            services.record_sign_out(actor=actor_of(request))
        return super().post(request, *args, **kwargs)


@login_not_required
@require_POST
def to_provider(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect("home")
    return leave(request, oidc.SIGN_IN, request.POST.get("next"))


def leave(request: HttpRequest, process: str, wanted: str | None) -> HttpResponse:
    """A page that leads to the provider at once.

    No redirect: browsers hold our ``form-action 'self'`` against one that answers a form.
    """
    next_url = wanted if AccountAdapter(request).is_safe_url(wanted) else None
    address = oidc.start(request, process, next_url)
    context = {"address": address, "provider": settings.OIDC["name"]}
    return render(request, "signin/leave.html", context)


@login_not_required
@require_safe
def from_provider(request: HttpRequest) -> HttpResponse | HttpResponseRedirect:
    oidc.provider(request)
    response: HttpResponse = oidc.Callback.adapter_view(oidc.Adapter(request))(request)
    return response


# Everybody who can sign in, for site administrators: letting in, keeping out, helping back in.


View = Callable[..., HttpResponse]
_PER_PAGE = 100


def for_site_administrators(view: View) -> View:
    """403 for everybody else."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not person_of(request).is_superuser:
            raise PermissionDenied(_("This is for site administrators."))
        return view(request, *args, **kwargs)

    return guarded


@require_safe
@for_site_administrators
def list_people(request: HttpRequest) -> HttpResponse:
    enrolled = Authenticator.objects.filter(user=OuterRef("pk"), type=Authenticator.Type.TOTP)
    found = User.objects.annotate(
        two_factor=Exists(enrolled), session_count=Count("usersession")
    ).order_by("username")
    page = Paginator(found, _PER_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "clashes": selectors.clashing_accounts()}
    return render(request, "signin/people.html", context)


@require_safe
@for_site_administrators
def show_person(request: HttpRequest, username: str) -> HttpResponse:
    person = _person(username)
    context = {
        "person": person,
        "sessions": sessions.sessions_of(person),
        "two_factor": people.has_two_factor(person),
        "is_me": person == person_of(request),
        "this_session": request.session.session_key,
    }
    return render(request, "signin/person.html", context)


@require_POST
@for_site_administrators
def end_sessions(request: HttpRequest, username: str) -> HttpResponse:
    person = _person(username)
    keep = request.session.session_key if person == person_of(request) else None
    sessions.end_all(user=person, actor=actor_of(request), keep=keep)
    return _back(request, person, _("The sessions of {name} are ended."))


@require_POST
@for_site_administrators
def unlock(request: HttpRequest, username: str) -> HttpResponse:
    person = _person(username)
    throttle.unlock(user=person, actor=actor_of(request))
    return _back(request, person, _("{name} can try again at once."))


@require_POST
@for_site_administrators
@needs_fresh_sign_in
def set_active(request: HttpRequest, username: str) -> HttpResponse:
    person, active = _person(username), request.POST.get("active") == "1"
    people.set_active(user=person, active=active, actor=actor_of(request))
    text = _("{name} can sign in again.") if active else _("{name} is deactivated.")
    return _back(request, person, text)


@require_POST
@for_site_administrators
@needs_fresh_sign_in
def remove_two_factor(request: HttpRequest, username: str) -> HttpResponse:
    person = _person(username)
    people.remove_two_factor(user=person, actor=actor_of(request))
    return _back(request, person, _("{name} signs in without a second factor until they enrol."))


def _person(username: str) -> User:
    # PostgreSQL cannot even look for a NUL character.
    return get_object_or_404(User, username=username.replace("\0", "\ufffd"))


def _back(request: HttpRequest, person: User, text: str) -> HttpResponse:
    address = reverse("person", args=[person.username])
    return redirect_to(request, address, text.format(name=person.username))
