from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView, ViewRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import update_session_auth_hash, views
from django.contrib.auth.forms import SetPasswordForm
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _, ngettext
from django.views.decorators.http import require_POST, require_safe

from portal.access import services
from portal.access.models import User
from portal.access.signin import entrance, forms, oidc, people, sessions
from portal.access.signin.forms import ChangePasswordForm
from portal.access.signin.freshness import needs_fresh_sign_in
from portal.access.signin.sessions import actor_of, person_of
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from portal.lib.web.pages import redirect_to


@require_safe
def show_account(request: HttpRequest) -> HttpResponse:
    return _page(request)


def _page(request: HttpRequest, errors: dict[str, str] | None = None) -> HttpResponse:
    person = person_of(request)
    kept = {each.type: each for each in Authenticator.objects.filter(user=person)}
    codes = kept.get(Authenticator.Type.RECOVERY_CODES)
    context = {
        "person": person,
        "errors": errors or {},
        "email": request.POST.get("email", person.email),
        "mail": "dummy" not in str(settings.EMAIL_BACKEND),
        "two_factor": kept.get(Authenticator.Type.TOTP),
        "codes_left": len(codes.wrap().get_unused_codes()) if codes else 0,
        "sessions": sessions.sessions_of(person),
        "this_session": request.session.session_key,
        "links": SocialAccount.objects.filter(user=person).order_by("pk"),
        "provider": settings.OIDC.get("name"),
    }
    return render(request, "signin/account.html", context, status=422 if errors else 200)


@require_POST
def change_email(request: HttpRequest) -> HttpResponse:
    try:
        people.set_email(
            user=person_of(request),
            email=request.POST.get("email", ""),
            actor=actor_of(request),
        )
    except Invalid as error:
        return _page(request, error.problems)
    return redirect_to(request, reverse("account"), _("Your e-mail address is saved."))


@require_POST
def change_letters(request: HttpRequest) -> HttpResponse:
    wanted = request.POST.get("digests") == "on"
    people.set_digests(user=person_of(request), wanted=wanted, actor=actor_of(request))
    return redirect_to(request, reverse("account"), _("Your choice of notifications is saved."))


class ChangePassword(views.PasswordChangeView):
    """One's own password. Other sessions of the person end with it."""

    template_name = "signin/password.html"
    form_class = ChangePasswordForm

    def form_valid(self, form: "SetPasswordForm[User]") -> HttpResponse:
        user, actor = person_of(self.request), actor_of(self.request)
        key = self.request.session.session_key
        services.change_password(
            user=user, password=form.cleaned_data["new_password1"], intent=Intent(actor)
        )
        sessions.end_all(user=user, actor=actor, keep=key)
        update_session_auth_hash(self.request, user)
        sessions.follow(key, self.request.session.session_key)
        text = _("Your password is changed, and your other sessions are ended.")
        return redirect_to(self.request, reverse("account"), text)


@require_POST
def end_session(request: HttpRequest, session_id: int) -> HttpResponse:
    session = get_object_or_404(UserSession, pk=session_id, user=person_of(request))
    sessions.end([session], actor=actor_of(request))
    return redirect_to(request, reverse("account"), _("That session is ended."))


@require_POST
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    ended = sessions.end_all(
        user=person_of(request), actor=actor_of(request), keep=request.session.session_key
    )
    text = ngettext("{n} session is ended.", "{n} sessions are ended.", ended).format(n=ended)
    return redirect_to(request, reverse("account"), text)


@require_POST
@needs_fresh_sign_in
def add_link(request: HttpRequest) -> HttpResponse:
    return entrance.leave(request, oidc.LINK, reverse("account"))


@require_POST
@needs_fresh_sign_in
def remove_link(request: HttpRequest, link_id: int) -> HttpResponse:
    account = get_object_or_404(SocialAccount, pk=link_id, user=person_of(request))
    people.unlink(user=person_of(request), account=account, actor=actor_of(request))
    return redirect_to(request, reverse("account"), _("That way to sign in is removed."))


@require_POST
def prove_again(request: HttpRequest) -> HttpResponse:
    return entrance.leave(request, oidc.AGAIN, request.POST.get("next"))


# Enrolling a second factor, and what to do when the phone is gone.


@method_decorator(needs_fresh_sign_in, name="post")  # type: ignore[arg-type]  # see View there
class Enrol(ActivateTOTPView):
    template_name = "signin/enrol.html"
    http_method_names = ["get", "head", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and people.has_two_factor(person_of(request)):
            return redirect("account")
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        person = person_of(self.request)
        with transaction.atomic():
            response = super().form_valid(form)
            authenticator = Authenticator.objects.get(user=person, type=Authenticator.Type.TOTP)
            forms.take(authenticator, form.cleaned_data["code"])
            people.record("user.two_factor_enabled", person, actor_of(self.request))
        return response

    def get_success_url(self) -> str:
        return reverse("recovery-codes")


class ShowCodes(ViewRecoveryCodesView):
    template_name = "signin/recovery_codes.html"
    http_method_names = ["get", "head"]


@method_decorator(needs_fresh_sign_in, name="post")  # type: ignore[arg-type]  # see View there
class RenewCodes(GenerateRecoveryCodesView):
    http_method_names = ["post"]
    success_url = reverse_lazy("recovery-codes")

    def form_valid(self, form: Any) -> HttpResponse:
        with transaction.atomic():
            super().form_valid(form)
            people.record(
                "user.recovery_codes_renewed", person_of(self.request), actor_of(self.request)
            )
        return redirect_to(self.request, str(self.success_url))

    def form_invalid(self, form: Any) -> HttpResponse:
        return redirect_to(self.request, reverse("account"))


@require_POST
@needs_fresh_sign_in
def remove_two_factor(request: HttpRequest) -> HttpResponse:
    people.remove_two_factor(user=person_of(request), actor=actor_of(request))
    return redirect_to(request, reverse("account"), _("Two-factor sign-in is off."))
