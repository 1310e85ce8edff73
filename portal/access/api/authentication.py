"""Who calls the management API: scripts that show an admin key."""

from dataclasses import dataclass
from typing import cast

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access import authority, services
from portal.access.api import kept_answers
from portal.access.models import ApiKey, Environment, KeyKind, Project
from portal.access.tokens import NO_VERIFIER, Token, parse_token
from portal.lib import clock
from portal.lib.api.idempotency import Respond
from portal.lib.journal import Actor
from portal.lib.middleware import trace_of

_ORPHANED = "The account that this key answers to is gone or deactivated. Ask for a new key."
_BAD_KEY = "This API key is unknown, revoked or expired."


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """What an endpoint knows of its caller; stands where DRF has a user."""

    key: ApiKey
    actor: Actor

    @property
    def is_authenticated(self) -> bool:
        """What DRF's IsAuthenticated asks for."""
        return True

    @property
    def environment(self) -> Environment:
        """The one environment that the key is for, its project with it."""
        return self.key.environment

    @property
    def project(self) -> Project:
        return self.environment.project

    def answer_once(self, name: str, digest: str, respond: Respond) -> Response:
        """As idempotency.Caller's."""
        return kept_answers.answer_once(self.key, name, digest, respond)


class ApiKeyAuthentication(BaseAuthentication):
    """``Authorization: Bearer av_admin_…`` or ``X-API-Key: av_admin_…``."""

    def authenticate(self, request: Request) -> tuple[KeyHolder, ApiKey] | None:
        """The holder of a usable admin key; None where no key is shown.

        Raises AuthenticationFailed (401) for a key that opens nothing, PermissionDenied (403) for
        one of another kind.
        """
        shown = token_shown(_django(request))
        if not shown:
            return None
        token = parse_token(shown)
        key = _usable_key(token) if token else None
        if key is None:
            raise AuthenticationFailed(_BAD_KEY)
        if key.kind != KeyKind.ADMIN:
            text = f"This is a {key.kind} key; the management API takes an admin key."
            raise PermissionDenied(text)
        if key.is_orphaned:
            raise PermissionDenied(_ORPHANED)
        services.note_use(key=key, now=clock.now())
        actor = authority.key_actor(key, trace_of(_django(request)))
        return KeyHolder(key, actor), key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="aviary"'


def token_shown(request: HttpRequest) -> str:
    """What a request shows, in either of two headers; empty for nothing."""
    scheme, _space, credentials = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer":
        return str(credentials).strip()
    return str(request.META.get("HTTP_X_API_KEY", "")).strip()


def key_shown(request: HttpRequest) -> ApiKey | None:
    """The key of any kind that a request proves to have; None for none."""
    token = parse_token(token_shown(request))
    return _usable_key(token) if token else None


def _usable_key(token: Token) -> ApiKey | None:
    """The key that the token proves. An unknown one takes as long to refuse as a wrong secret."""
    known = token.selector.isascii() and token.selector.isalnum()
    keys = ApiKey.objects.usable(now=clock.now()).select_related("environment__project", "creator")
    key = keys.filter(selector=token.selector).first() if known else None
    proven = token.proves(key.verifier if key else NO_VERIFIER)
    return key if proven and key and token.kind == key.kind else None


def _django(request: Request) -> HttpRequest:
    inner: HttpRequest = request._request
    return inner


def holder_of(request: Request) -> KeyHolder:
    """The caller; endpoints are only reached with an admin key."""
    return cast(KeyHolder, request.user)
