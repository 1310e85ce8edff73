"""Signing in and out, and one's own password: Django's views, with every event recorded."""

from typing import cast

from django.contrib.auth import update_session_auth_hash, views
from django.contrib.auth.forms import AuthenticationForm, SetPasswordForm
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from portal.access import authority, services
from portal.access.models import User
from portal.access.web.scope import actor_of
from portal.lib.middleware import trace_of


class SignIn(views.LoginView):
    """The sign-in page."""

    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Start the session; it does not start where it cannot be recorded."""
        user = form.get_user()
        with transaction.atomic():
            response = super().form_valid(form)
            services.record_sign_in(actor=authority.user_actor(user, trace_of(self.request)))
        return response


class SignOut(views.LogoutView):
    """Signing out, by POST only."""

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if request.user.is_authenticated:
            services.record_sign_out(actor=actor_of(request))
        return super().post(request, *args, **kwargs)


class ChangePassword(views.PasswordChangeView):
    """One's own password. Other sessions of the person end with it."""

    def form_valid(self, form: "SetPasswordForm[User]") -> HttpResponse:
        user = cast(User, self.request.user)
        services.change_password(
            user=user, password=form.cleaned_data["new_password1"], actor=actor_of(self.request)
        )
        update_session_auth_hash(self.request, user)
        return HttpResponseRedirect(str(self.get_success_url()))
