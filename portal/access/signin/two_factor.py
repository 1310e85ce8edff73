"""Enrolling a second factor, and what to do when the phone is gone."""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView, ViewRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portal.access.signin import forms, people
from portal.access.signin.freshness import needs_fresh_sign_in
from portal.access.signin.requests import actor_of, person_of
from portal.lib.web.pages import redirect_to


@method_decorator(needs_fresh_sign_in, name="post")  # type: ignore[arg-type]  # see View there
class Enrol(ActivateTOTPView):
    """A QR code to scan, and the first code as proof that it was."""

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
    """The recovery codes, once."""

    template_name = "signin/recovery_codes.html"
    http_method_names = ["get", "head"]


@method_decorator(needs_fresh_sign_in, name="post")  # type: ignore[arg-type]  # see View there
class RenewCodes(GenerateRecoveryCodesView):
    """New recovery codes; the old ones are worth nothing any more."""

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
