from typing import Any

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.account.forms import LoginForm
from allauth.core import context
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.utils import decrypt
from django import forms
from django.contrib.auth.forms import PasswordChangeForm
from django.db import transaction

from portal.access import authority
from portal.access.signin import people, sessions, throttle
from portal.lib.journal import Actor
from portal.lib.middleware import trace_of


class SignInForm(LoginForm):
    """Name and password, under the names that our form has always had."""

    def add_prefix(self, field_name: str) -> str:
        return str(super().add_prefix("username" if field_name == "login" else field_name))


class ChangePasswordForm(PasswordChangeForm):
    """One's own password: the old one is asked for under the limits of signing in."""

    def clean_old_password(self) -> str:
        given: str = self.cleaned_data["old_password"]
        if not get_account_adapter(context.request).reauthenticate(self.user, given):
            raise forms.ValidationError(self.error_messages["password_incorrect"])
        return given


class _CountedCode:
    """A code that is counted before it is looked at."""

    user: Any

    def clean_code(self) -> str:
        request = context.request
        actor = authority.user_actor(self.user, trace_of(request))
        code = throttle.judge(
            lambda: self.checked_code(actor),
            account=throttle.code_of(self.user),
            address=sessions.neighbourhood_of(request),
            event="user.two_factor_failed",
            subject=self.user.username,
            actor=actor,
        )
        return str(code)

    def checked_code(self, actor: Actor) -> str:
        return str(super().clean_code())  # type: ignore[misc]


class _TakenCode(_CountedCode):
    authenticator: Authenticator

    def checked_code(self, actor: Actor) -> str:
        with transaction.atomic():
            code = super().checked_code(actor)
            take(self.authenticator, code)
            if self.authenticator.type == Authenticator.Type.RECOVERY_CODES:
                people.record("user.recovery_code_used", self.user, actor)
        return code


class CodeForm(_TakenCode, AuthenticateForm):
    """The code at sign-in: of the authenticator, or a recovery code."""


class ConfirmCodeForm(_TakenCode, ReauthenticateForm):
    """The same, of someone who is signed in."""


class EnrolForm(_CountedCode, ActivateTOTPForm):
    """The first code of a new authenticator; enrolling notes its time step."""


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
    steps = totp.yield_hotp_counters_from_time()
    values = ((step, totp.format_hotp_value(totp.hotp_value(secret, step))) for step in steps)
    same = [s for s, value in values if totp.compare_user_code(actual=code, expected=value)]
    return same[-1] if same else None
