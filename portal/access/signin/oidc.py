"""OpenID Connect: one provider, named by the operator.

allauth does state, PKCE and the exchange of the code. It leaves the signature of a token that comes
straight from the provider unchecked, knows no nonce and takes whatever issuer the discovery
document claims; here all three are checked.
"""

import hmac
import logging
import secrets
from typing import Any, NoReturn
from urllib.parse import urlsplit

import jwt
from allauth.account.internal.flows.login import record_authentication
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from requests import RequestException

from portal.access.signin import freshness, people, sessions
from portal.lib import clock
from portal.lib.errors import AviaryError, Invalid
from portal.lib.web.pages import redirect_to

LOG = logging.getLogger(__name__)
SIGN_IN, LINK, AGAIN = "login", "link", "again"
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_LEEWAY_S = 30
_SUBJECT_LENGTH = 191  # what the column holds


class ProviderAway(AviaryError):
    status = 503


class Adapter(OpenIDConnectOAuth2Adapter):
    nonce = ""

    def __init__(self, request: HttpRequest, provider_id: str = "") -> None:
        super().__init__(request, provider_id or settings.OIDC.get("id"))

    def get_provider(self) -> "Provider":
        return provider(self.request)

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        """From the settings: the Host header is the browser's word only."""
        return str(settings.PORTAL_URL.rstrip("/") + reverse("oidc-callback"))

    @property
    def openid_config(self) -> dict[str, Any]:
        config: dict[str, Any] = super().openid_config
        if config.get("issuer") != settings.OIDC["issuer"]:
            raise OAuth2Error(f"the provider says that its issuer is {config.get('issuer')!r}")
        for name in _ENDPOINTS:
            url = urlsplit(str(config.get(name, "")))
            if url.scheme not in ("https", urlsplit(settings.OIDC["issuer"]).scheme):
                raise OAuth2Error(f"the provider's {name} is no https address")
        return config

    def complete_login(
        self, request: HttpRequest, app: SocialApp, token: Any, **kwargs: Any
    ) -> Any:
        claims = self._claims(str(kwargs["response"].get("id_token") or ""), app)
        return self.get_provider().sociallogin_from_response(request, {"id_token": claims})

    def _claims(self, token: str, app: SocialApp) -> dict[str, Any]:
        """What a token says. Raises OAuth2Error unless all of it is as it has to be."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key_of(token),
                algorithms=[jwt.get_unverified_header(token)["alg"]],
                audience=app.client_id,
                issuer=settings.OIDC["issuer"],
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, KeyError, TypeError, ValueError) as error:
            raise OAuth2Error(f"the id_token is not valid: {error}") from error
        if not self.nonce or not hmac.compare_digest(
            str(claims.get("nonce", "")).encode(), self.nonce.encode()
        ):
            raise OAuth2Error("the id_token was made for another sign-in")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if several and claims.get("azp") != app.client_id:
            raise OAuth2Error("the id_token is meant for another application too")
        if not 0 < len(claims["sub"]) <= _SUBJECT_LENGTH:
            raise OAuth2Error("the id_token has an unusable subject")
        return claims

    def _key_of(self, token: str) -> Any:
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in ALGORITHMS:
            raise OAuth2Error(f"the id_token is signed with {header.get('alg')!r}")
        with get_adapter().get_requests_session() as session:
            answer = session.get(self.openid_config["jwks_uri"])
            answer.raise_for_status()
            keys = jwt.PyJWKSet.from_dict(answer.json()).keys
        named = [key for key in keys if key.key_id == header.get("kid")]
        found = named if "kid" in header else keys
        if len(found) != 1:
            raise OAuth2Error("the id_token is signed with a key the provider does not name")
        return found[0].key


class Provider(OpenIDConnectProvider):
    """The provider of the settings. People are known by subject; no e-mail address counts."""

    oauth2_adapter_class = Adapter

    def get_callback_url(self) -> str:
        return reverse("oidc-callback")

    def extract_email_addresses(self, data: dict[str, Any]) -> list[Any]:
        return []

    def extract_common_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        return {}


class Callback(OAuth2CallbackView):
    def _get_state(self, request: HttpRequest, provider: Provider) -> Any:
        state, response = super()._get_state(request, provider)
        if state:
            self.adapter.nonce = state.get("nonce", "")
        return state, response


def provider(request: HttpRequest) -> Provider:
    if not settings.OIDC:
        raise Http404("no provider is configured")
    app = SocialApp(
        provider=Provider.id,
        provider_id=settings.OIDC["id"],
        name=settings.OIDC["name"],
        client_id=settings.OIDC["client_id"],
        secret=settings.OIDC["client_secret"],
        settings={
            "server_url": settings.OIDC["issuer"].rstrip("/"),
            "oauth_pkce_enabled": True,
            "fetch_userinfo": False,
        },
    )
    return Provider(request, app=app)


def start(request: HttpRequest, process: str, next_url: str | None) -> str:
    """Begin; the address at the provider to go to. Raises ProviderAway."""
    nonce = secrets.token_urlsafe(24)
    params = {"nonce": nonce}
    if process != SIGN_IN:
        params |= {"prompt": "login", "max_age": "0"}
    try:
        response = provider(request).redirect(
            request,
            process,
            next_url,
            auth_params=params,
            nonce=nonce,
            person=request.user.pk,
        )
    except (RequestException, OAuth2Error, KeyError, TypeError, ValueError) as error:
        _fail(error)
    if not isinstance(response, HttpResponseRedirect):
        _fail(RuntimeError("no redirect"))
    return response.url


def _fail(error: Exception) -> NoReturn:
    LOG.warning("the provider cannot be used: %r", error)
    text = _("{name} does not answer. Try again in a moment, or sign in with a password.")
    raise ProviderAway(text.format(name=settings.OIDC["name"])) from error


def arrive(request: HttpRequest, login: Any) -> HttpResponse | None:
    """What follows from a checked token, unless it is signing in (then None)."""
    if login.state.get("process") == SIGN_IN:
        _keep_proof(request, login)
        return None
    if not request.user.is_authenticated or request.user.pk != login.state.get("person"):
        raise OAuth2Error("somebody else is signed in by now")
    act = {LINK: _link, AGAIN: _again}[login.state["process"]]
    return redirect_to(request, login.state.get("next") or reverse("account"), act(request, login))


def _keep_proof(request: HttpRequest, login: Any) -> None:
    """When the provider itself saw the person; only once it is sure that it is them."""
    now = clock.now().timestamp()
    seen_at = login.account.extra_data["id_token"].get("auth_time", now)
    request.session[freshness.PROVED_AT] = seen_at if isinstance(seen_at, int | float) else 0


def _link(request: HttpRequest, login: Any) -> str:
    if login.is_existing:
        raise Invalid({"": _("This sign-in belongs to an account already; nothing was changed.")})
    people.link(
        user=sessions.person_of(request),
        account=login.account,
        actor=sessions.actor_of(request),
    )
    return _("You can sign in with {name} from now on.").format(name=settings.OIDC["name"])


def _again(request: HttpRequest, login: Any) -> str:
    if login.account.user_id != request.user.pk:
        raise OAuth2Error("somebody else has signed in at the provider")
    _keep_proof(request, login)
    record_authentication(
        request,
        request.user,
        "socialaccount",
        provider=login.account.provider,
        uid=login.account.uid,
        reauthenticated=True,
    )
    return _("Confirmed. Now repeat what you were doing.")
