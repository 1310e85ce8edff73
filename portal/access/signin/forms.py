"""Forms of allauth's, with our limits and our records."""

from typing import Any

from allauth.account.forms import LoginForm
from allauth.core import context
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.utils import decrypt
from django import forms
from django.db import transaction

from portal.access import authority
from portal.access.signin import people, requests, throttle
from portal.lib import clock
from portal.lib.middleware import trace_of


class SignInForm(LoginForm):
    """Name and password, under the names that our form has always had."""

    def add_prefix(self, field_name: str) -> str:
        return str(super().add_prefix("username" if field_name == "login" else field_name))


class _CountedCode:
    """A code that is counted before it is looked at, and taken once."""

    user: Any
    authenticator: Authenticator

    def clean_code(self) -> str:
        request = context.request
        actor = authority.user_actor(self.user, trace_of(request))
        attempt = throttle.begin(
            account=throttle.code_of(self.user),
            address=requests.neighbourhood_of(request),
            now=clock.database_now(),
        )
        try:
            with transaction.atomic():
                code = str(super().clean_code())  # type: ignore[misc]
                take(self.authenticator, code)
                if self.authenticator.type == Authenticator.Type.RECOVERY_CODES:
                    people.record("user.recovery_code_used", self.user, actor)
        except forms.ValidationError:
            attempt.failed(event="user.two_factor_failed", subject=self.user.username, actor=actor)
            raise
        attempt.succeeded(now=clock.database_now())
        return code


class CodeForm(_CountedCode, AuthenticateForm):
    """The code at sign-in: of the authenticator, or a recovery code."""


class ConfirmCodeForm(_CountedCode, ReauthenticateForm):
    """The same, of someone who is signed in."""


def take(authenticator: Authenticator, code: str) -> None:
    """Note the time step of a code; raises ValidationError for one that is not later than the last.

    allauth remembers used codes in the cache of one process, for less time than they are good for.
    """
    if authenticator.type != Authenticator.Type.TOTP:
        return
    kept = Authenticator.objects.select_for_update().get(pk=authenticator.pk)
    step = _step(decrypt(kept.data["secret"]), code)
    if step is None or step <= kept.data.get("last_step", -1):
        raise get_adapter().validation_error("incorrect_code")
    kept.data["last_step"] = step
    kept.save(update_fields=["data"])
    authenticator.data = kept.data


def _step(secret: str, code: str) -> int | None:
    """The time step that a code belongs to."""
    steps = totp.yield_hotp_counters_from_time()
    values = ((step, totp.format_hotp_value(totp.hotp_value(secret, step))) for step in steps)
    same = [s for s, value in values if totp.compare_user_code(actual=code, expected=value)]
    return same[-1] if same else None
