"""The pages before someone is in: name and password, code, the way over the provider; and out."""

from typing import Any

from allauth.account.views import LoginView
from allauth.mfa.base.views import AuthenticateView
from django.conf import settings
from django.contrib.auth import views
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from portal.access import services
from portal.access.signin import oidc
from portal.access.signin.adapters import AccountAdapter
from portal.access.signin.requests import actor_of
from portal.access.signin.throttle import LockedOut


class SignIn(LoginView):
    """The sign-in page."""

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
    """The second step, for who has enrolled a second factor."""

    template_name = "signin/code.html"


@login_not_required
@require_POST
def start_over(request: HttpRequest) -> HttpResponse:
    """Give up the second step; whoever is signed in stays so."""
    if not request.user.is_authenticated:
        request.session.flush()
    return redirect("sign-in")


class SignOut(views.LogoutView):
    """Signing out, by POST only."""

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if request.user.is_authenticated:
            services.record_sign_out(actor=actor_of(request))
        return super().post(request, *args, **kwargs)


@login_not_required
@require_POST
def to_provider(request: HttpRequest) -> HttpResponse:
    """Over to the provider, to sign in."""
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
    """Back from the provider."""
    oidc.provider(request)
    response: HttpResponse = oidc.Callback.adapter_view(oidc.Adapter(request))(request)
    return response
