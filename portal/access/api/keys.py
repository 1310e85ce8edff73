"""``/api/v1/projects/{project}/keys``: API keys, never with what lets anybody in but once."""

from django.db.models import QuerySet
from django.http import Http404
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access import selectors, services
from portal.access.api import documents, schema
from portal.access.api.asking import choice, named
from portal.access.api.authentication import holder_of
from portal.access.api.scope import allowed_here, environment_of
from portal.access.models import ApiKey, Environment
from portal.access.permissions import Permission
from portal.lib.api.idempotency import Secretive
from portal.lib.api.pagination import PAGING, listing, page_of
from portal.lib.api.parsers import MergePatchParser, StrictJSONParser
from portal.lib.api.query import text
from portal.lib.api.shapes import MOMENT, TEXT, TEXTS, WHOLE, Field, read_body
from portal.lib.api.views import ApiView
from portal.lib.intent import Intent

_NEW = {
    "name": Field(TEXT, required=True),
    "kind": Field(TEXT, required=True),
    "expires_at": Field(MOMENT, nullable=True),
    "allowed_origins": Field(TEXTS),
}
_FIELDS = {
    "allowed_origins": Field(TEXTS),
    "rate_limit": Field(WHOLE, nullable=True),
    "burst_limit": Field(WHOLE, nullable=True),
}


class KeyList(ApiView):
    """The API keys of an environment."""

    asks = {"GET": ("environment", "kind", *PAGING)}

    @schema.list_keys
    def get(self, request: Request, project: str) -> Response:
        """A page of the keys of this key's environment, the newest first, without their secrets."""
        own = allowed_here(request, project, Permission.FLAG_VIEW)
        if place := text(request, "environment"):
            environment_of(request, project, place)
        fields = {"kind": choice(request, "kind", schema.KINDS)}
        rows = _keys_in(own).filter(**named(fields))
        page, following = page_of(request, rows, by="-pk")
        return listing(request, "keys", [documents.key(one) for one in page], following)

    @schema.create_key
    def post(self, request: Request, project: str) -> Response:
        """Make a server or client key for the environment of this key. Admin keys people make.

        The token is shown in this answer alone; who repeats the request gets null in its place.
        """
        own = allowed_here(request, project, Permission.KEY_MANAGE)
        issued = services.issue_key(
            environment=own,
            **read_body(request.data, _NEW),
            intent=Intent(holder_of(request).actor),
        )
        document = {**documents.key(issued.key), "token": str(issued.token), "notice": ""}
        where = reverse("api-key", args=[project, issued.key.selector])
        return Secretive(document, hidden="token", status=201, headers={"Location": where})


class KeyDetail(ApiView):
    """One API key."""

    parser_classes = [StrictJSONParser, MergePatchParser]

    @schema.read_key
    def get(self, request: Request, project: str, selector: str) -> Response:
        """A key, by its selector: the part of the token that is no secret."""
        own = allowed_here(request, project, Permission.FLAG_VIEW)
        return Response(documents.key(_key_of(own, selector)))

    @schema.edit_key
    def patch(self, request: Request, project: str, selector: str) -> Response:
        """Change where a server or client key may be used from, and how often."""
        own = allowed_here(request, project, Permission.KEY_MANAGE)
        key = _key_of(own, selector)
        fields = {name: getattr(key, name) for name in _FIELDS}
        services.edit_key(
            key=key,
            **fields | read_body(request.data, _FIELDS),
            intent=Intent(holder_of(request).actor),
        )
        return Response(documents.key(key))

    @schema.revoke_key
    def delete(self, request: Request, project: str, selector: str) -> Response:
        """Revoke a key of this key's environment at once and for good, this one included."""
        own = allowed_here(request, project, Permission.KEY_MANAGE)
        key = _key_of(own, selector)
        services.revoke_key(key=key, intent=Intent(holder_of(request).actor))
        return Response(status=204)


def _keys_in(environment: Environment) -> QuerySet[ApiKey]:
    return selectors.keys_of(environment.project).filter(environment=environment)


def _key_of(environment: Environment, selector: str) -> ApiKey:
    found = _keys_in(environment).filter(selector=selector).first()
    if found is None:
        raise Http404
    found.environment.project = environment.project
    return found
