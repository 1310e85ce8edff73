"""Where allauth asks what to do: the account, the second factor, single sign-on."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from cryptography.fernet import MultiFernet
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _, gettext_lazy

from portal.access import authority, selectors, services
from portal.access.models import User
from portal.access.signin import oidc, people, sessions, throttle
from portal.lib.encrypting import box_for
from portal.lib.errors import error_page
from portal.lib.middleware import trace_of


class AccountAdapter(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "username_password_mismatch": gettext_lazy(
            "Please enter a correct username and password. Both are case-sensitive."
        ),
    }

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """Who has this name and password. Raises LockedOut before looking at the password.

        A name that nobody has counts as the one that it can be taken for.
        """
        typed = str(credentials["username"])
        found = selectors.account_named(typed)
        credentials["username"] = found.username if found else typed
        signed_in = request.user.is_authenticated

        def check() -> User | None:
            user = authenticate(request, **credentials)
            return user if isinstance(user, User) else None

        return throttle.judge(
            check,
            account=throttle.password_of(found) if found else f"name {typed}",
            address=sessions.neighbourhood_of(request),
            event="user.proof_failed" if signed_in else "user.sign_in_failed",
            subject=found.username if found else people.name_for_record(typed),
            actor=sessions.actor_of(request) if signed_in else sessions.stranger_of(request),
        )

    def login(self, request: HttpRequest, user: User) -> None:
        """Start the session; it does not start where it cannot be recorded."""
        with transaction.atomic():
            super().login(request, user)
            services.record_sign_in(actor=authority.user_actor(user, trace_of(request)))

    def respond_user_inactive(self, request: HttpRequest, user: AbstractBaseUser) -> HttpResponse:
        return refused(request, _("Your account is deactivated. Ask a site administrator."))

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_reauthentication_required(self, **kwargs: Any) -> bool:
        """Never by allauth, to which signing in is no proof: needs_fresh_sign_in asks instead."""
        return False

    def is_safe_url(self, url: str | None) -> bool:
        """Nobody is sent anywhere but to this very address of ours."""
        return url_has_allowed_host_and_scheme(
            url, {self.request.get_host()}, require_https=self.request.is_secure()
        )

    def is_ajax(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return sessions.address_of(request)

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Our pages say themselves what happened."""


class TwoFactorAdapter(DefaultMFAAdapter):
    """Secrets of the second factor are encrypted under SECRET_KEY: they must be read again."""

    def encrypt(self, text: str) -> str:
        return _fernet().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _fernet().decrypt(encrypted_text.encode()).decode()

    def get_totp_label(self, user: AbstractBaseUser) -> str:
        return str(user.get_username())


def _fernet() -> MultiFernet:
    return box_for("portal.access.signin")


class SingleSignOnAdapter(DefaultSocialAccountAdapter):
    def get_provider(self, request: HttpRequest, provider: str, client_id: Any = None) -> Any:
        return oidc.provider(request)

    def list_providers(self, request: HttpRequest) -> list[Any]:
        return [oidc.provider(request)] if settings.OIDC else []

    def get_requests_session(self) -> Any:
        """Asks the addresses that the provider names, and follows no redirect from there."""
        session = super().get_requests_session()
        session.max_redirects = 0
        return session

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """A checked token has come: link it, or count it as a fresh proof, or go on signing in."""
        response = oidc.arrive(request, sociallogin)
        if response is not None:
            raise ImmediateHttpResponse(response)

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        if settings.OIDC_CREATE_USERS:
            return True
        text = _("You have no account here yet. Ask a site administrator to create one.")
        raise ImmediateHttpResponse(refused(request, text))

    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> User:
        """Someone new: an account without any role, known by issuer and subject."""
        sociallogin.user = people.create_from_provider(
            claims=sociallogin.account.extra_data["id_token"],
            account=sociallogin.account,
            actor=sessions.stranger_of(request),
        )
        return sociallogin.user

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, exception: Exception | None = None, **kwargs: Any
    ) -> None:
        """Say in one sentence that it did not work; the log has the details."""
        oidc.LOG.warning("single sign-on failed: %r", exception or kwargs.get("error"))
        text = _("{name} did not confirm who you are. Start again from the sign-in page.")
        raise ImmediateHttpResponse(
            refused(request, text.format(name=settings.OIDC["name"]), status=400)
        )


def refused(request: HttpRequest, text: str, status: int = 403) -> HttpResponse:
    return error_page(request, status, _("You are not signed in"), text)
