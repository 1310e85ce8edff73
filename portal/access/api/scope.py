"""What an admin key reaches: its project, and its own environment; every endpoint asks here."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from django.db import OperationalError, connection, transaction
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access import authority, services
from portal.access.models import ApiKey, Environment, KeptAnswer, KeyKind, Project
from portal.access.permissions import Permission
from portal.access.tokens import NO_VERIFIER, Token, parse_token
from portal.lib import clock
from portal.lib.api.endpoints import dumps, find
from portal.lib.api.idempotency import REPLAYED, Respond, Reused, Secretive, StillRunning
from portal.lib.errors import PROBLEM, Invalid
from portal.lib.journal import Actor
from portal.lib.middleware import trace_of


def project_of(request: Request, project_key: str) -> Project:
    """The key's project, if that is the one asked for."""
    holder = holder_of(request)
    if holder.project.key != project_key:
        raise Http404
    authority.require(holder.actor, Permission.FLAG_VIEW, project=holder.project)
    return holder.project


def allowed(request: Request, project_key: str, permission: Permission) -> Project:
    """As project_of, for what the key needs a permission for. Raises Forbidden."""
    project = project_of(request, project_key)
    authority.require(holder_of(request).actor, permission, project=project)
    return project


def allowed_here(request: Request, project_key: str, permission: Permission) -> Environment:
    project, own = project_of(request, project_key), holder_of(request).environment
    authority.require(holder_of(request).actor, permission, project=project, environment=own)
    return own


def environment_of(
    request: Request,
    project_key: str,
    environment_key: str,
    permission: Permission = Permission.FLAG_VIEW,
) -> Environment:
    """The key's environment; another one of its project is forbidden, and said to be.

    Raises Forbidden where the key lacks the permission that something needs there.
    """
    project = project_of(request, project_key)
    own = holder_of(request).environment
    if own.key == environment_key:
        return allowed_here(request, project_key, permission)
    find(project.environments, key=environment_key)
    text = _("This key is for the environment “{own}” and does not reach “{other}”.")
    raise PermissionDenied(text.format(own=own.key, other=environment_key))


def place_of(project: Project, key: str, field: str = "environment") -> Environment:
    """The environment that a body names in ``field``. Raises Invalid."""
    found = project.environments.filter(key=key).first()
    if found is None:
        raise Invalid({field: _("There is no such environment in this project.")})
    return found


def place_or_all(project: Project, key: str | None) -> Environment | None:
    """As place_of; None, where a body names none or null, is all environments."""
    return place_of(project, key) if key is not None else None


# Who calls the management API: scripts that show an admin key.


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
        return self.key.environment

    @property
    def project(self) -> Project:
        return self.environment.project

    def answer_once(self, name: str, digest: str, respond: Respond) -> Response:
        return answer_once(self.key, name, digest, respond)


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
        return KeyHolder(key, authority.key_actor(key, trace_of(_django(request)))), key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="aviary"'


def token_shown(request: HttpRequest) -> str:
    scheme, _space, credentials = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer":
        return str(credentials).strip()
    return str(request.META.get("HTTP_X_API_KEY", "")).strip()


def key_shown(request: HttpRequest) -> ApiKey | None:
    token = parse_token(token_shown(request))
    return _usable_key(token) if token else None


def _usable_key(token: Token) -> ApiKey | None:
    """The key that the token proves. An unknown one takes as long to refuse as a wrong secret."""
    known = token.selector.isascii() and token.selector.isalnum()
    keys = ApiKey.objects.select_related("environment__project", "creator")
    key = keys.filter(selector=token.selector).first() if known else None
    proven = token.proves(key.verifier if key else NO_VERIFIER)
    opens = key and token.kind == key.kind and key.is_usable(now=clock.now())
    return key if proven and opens else None


def _django(request: Request) -> HttpRequest:
    inner: HttpRequest = request._request
    return inner


def holder_of(request: Request) -> KeyHolder:
    """The caller; endpoints are only reached with an admin key."""
    return cast(KeyHolder, request.user)


# Keeping what writes were answered, and answering it again, for Idempotency-Key.


_HEADERS: Final = ("ETag", "Location", "Retry-After")


def answer_once(key: ApiKey, name: str, digest: str, respond: Respond) -> Response:
    """The answer to a request of this key, which is carried out unless it was before.

    All in one transaction: who is killed before its end has done nothing, and the next one begins
    anew; who comes meanwhile waits for it. Raises Reused and StillRunning.
    """
    now = clock.now()
    with transaction.atomic():
        kept, is_new = _claim(key, name, digest, now)
        if not is_new:
            return _again(kept, digest)
        response = respond()
        if response.status_code >= 500:
            transaction.set_rollback(True)
        else:
            _keep(kept, response)
    return response


def _claim(key: ApiKey, name: str, digest: str, now: datetime) -> tuple[KeptAnswer, bool]:
    KeptAnswer.objects.over(now=now).filter(key=key, name=name).delete()
    try:
        return KeptAnswer.objects.get_or_create(
            key=key, name=name, defaults={"digest": digest, "kept_at": now}
        )
    except OperationalError:
        if connection.vendor != "postgresql":
            raise
        # The request that has the name has not committed within the lock's timeout.
        raise StillRunning from None


def _keep(kept: KeptAnswer, response: Response) -> None:
    kept.status = response.status_code
    kept.headers = {name: response[name] for name in _HEADERS if name in response}
    document = response.kept if isinstance(response, Secretive) else response.data
    kept.body = "" if document is None else dumps(document)
    kept.save(update_fields=["status", "headers", "body"])


def _again(kept: KeptAnswer, digest: str) -> Response:
    if kept.digest != digest:
        raise Reused
    return Response(
        json.loads(kept.body) if kept.body else None,
        status=kept.status,
        headers=kept.headers | {REPLAYED: "true"},
        content_type=PROBLEM if kept.status >= 400 else None,
    )
