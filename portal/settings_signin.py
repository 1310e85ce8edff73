"""Settings of signing in; ``portal.settings`` takes all of them over.

They stand apart because most of them tell django-allauth what not to do, and settings.py has to
stay short enough to be read at once.
"""

import hashlib
import os
from datetime import timedelta
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from portal.lib import env
from portal.lib.env import SettingError

env.load_file()
SIGN_IN_APPS = [
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.usersessions",
]
SIGN_IN_MIDDLEWARE = [
    "allauth.account.middleware.AccountMiddleware",
    "portal.access.signin.sessions.session_activity",
    "portal.access.signin.sessions.two_factor_required",
]

# Whether everyone has to enrol a second factor before anything else.
REQUIRE_TWO_FACTOR = env.switch("AVIARY_REQUIRE_TWO_FACTOR")
# How long someone who has just proven who they are may do what is dangerous.
REAUTHENTICATION_TIMEOUT = timedelta(
    minutes=env.whole_number("AVIARY_REAUTHENTICATION_MINUTES", 15, least=1, most=24 * 60)
)


def _oidc() -> dict[str, str]:
    """The OpenID Connect provider, or nothing. Raises SettingError when it is half configured."""
    names = ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")
    found = {name: os.environ.get(name, "") for name in names}
    if not any(found.values()):
        return {}
    missing = [name for name in names if not found[name]]
    if missing:
        raise SettingError(
            f"{', '.join(missing)} is not set; single sign-on takes {', '.join(names)}"
        )
    issuer = urlsplit(found["OIDC_ISSUER"])
    local = issuer.scheme == "http" and issuer.hostname in ("127.0.0.1", "::1", "localhost")
    plain = not (issuer.query or issuer.fragment or issuer.username)
    if not issuer.hostname or not plain or not (local or issuer.scheme == "https"):
        raise SettingError("OIDC_ISSUER must look like https://login.example.com")
    return {
        "issuer": found["OIDC_ISSUER"],
        "client_id": found["OIDC_CLIENT_ID"],
        "client_secret": found["OIDC_CLIENT_SECRET"],
        "name": os.environ.get("OIDC_NAME") or "single sign-on",
        # People are matched by issuer and subject: a new issuer changes this too.
        "id": "oidc-" + hashlib.sha256(found["OIDC_ISSUER"].encode()).hexdigest()[:24],
    }


OIDC = _oidc()
OIDC_CREATE_USERS = not os.environ.get("OIDC_CREATE_USERS") or env.switch("OIDC_CREATE_USERS")

ACCOUNT_ADAPTER = "portal.access.signin.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
# Ours are kept in the database, see portal.access.signin.throttle.
ACCOUNT_RATE_LIMITS = False
ACCOUNT_FORMS = {"login": "portal.access.signin.forms.SignInForm"}
MFA_ADAPTER = "portal.access.signin.adapters.TwoFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_FORMS = {
    "authenticate": "portal.access.signin.forms.CodeForm",
    "activate_totp": "portal.access.signin.forms.EnrolForm",
}
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_ISSUER = "Aviary"
MFA_TOTP_TOLERANCE = 1  # clocks of phones are off by a little
SOCIALACCOUNT_ADAPTER = "portal.access.signin.adapters.SingleSignOnAdapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_REQUESTS_TIMEOUT = 5


def _mail() -> dict[str, object]:
    """Where mail goes: nowhere unless EMAIL_URL says. Raises SettingError for a malformed one."""
    url = os.environ.get("EMAIL_URL") or "dummymail://"
    try:
        return dict(environ.Env.email_url_config(url))
    except (ImproperlyConfigured, ValueError):
        # Without the address itself, which may hold a password.
        raise SettingError("EMAIL_URL must look like smtp+tls://user:password@host:587") from None


_found = _mail()
EMAIL_BACKEND = _found["EMAIL_BACKEND"]
EMAIL_HOST = _found["EMAIL_HOST"] or "localhost"
EMAIL_PORT = _found["EMAIL_PORT"] or 25
EMAIL_HOST_USER = _found["EMAIL_HOST_USER"] or ""
EMAIL_HOST_PASSWORD = _found["EMAIL_HOST_PASSWORD"] or ""
EMAIL_USE_TLS = bool(_found.get("EMAIL_USE_TLS"))
EMAIL_USE_SSL = bool(_found.get("EMAIL_USE_SSL"))
EMAIL_TIMEOUT = 10
# Mail goes nowhere unless EMAIL_URL says where; letters are kept meanwhile.
MAIL_IS_SENT = bool(os.environ.get("EMAIL_URL"))
DEFAULT_FROM_EMAIL = env.mail_address("EMAIL_FROM", "aviary@localhost")
