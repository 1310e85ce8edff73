"""``/api/v1/projects/{project}/keys``: API keys, never with what lets anybody in but once."""

from django.db.models import QuerySet
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access import selectors, services
from portal.access.api.scope import allowed_here, environment_of, holder_of
from portal.access.models import ApiKey, KeyKind
from portal.access.permissions import Permission
from portal.lib.api.endpoints import answer, answer_page, choice, find, text
from portal.lib.api.idempotency import Secretive
from portal.lib.api.shapes import MOMENT, TEXT, TEXTS, WHOLE, PageShape, Shape
from portal.lib.api.views import ApiView, operation, query
from portal.lib.journal import Intent

KEY = Shape(
    "Key",
    {
        "selector": TEXT("The part of its token that is no secret."),
        "name": TEXT(),
        "kind": TEXT(enum=KeyKind.values),
        "environment": TEXT(of="environment.key"),
        "allowed_origins": TEXTS(),
        "rate_limit": WHOLE("Requests per second.", nullable=True),
        "burst_limit": WHOLE("Requests at once.", nullable=True),
        "rights": TEXTS(
            "What an admin key may do on top, as far as its maker still may. Of a client key "
            "telemetry, where what it tells decides about releases."
        ),
        "evidence": TEXTS("The kinds of evidence that people let it post for its environment."),
        "created_by": TEXT(),
        "created_at": MOMENT(),
        "last_used_at": MOMENT(nullable=True),
        "expires_at": MOMENT(nullable=True),
        "revoked_at": MOMENT(nullable=True),
    },
    "An API key without what lets anybody in.",
)
KEYS = PageShape("KeyPage", "keys", KEY.many())
ISSUED = KEY.but(
    "IssuedKey",
    token=TEXT("Null where the answer is replayed.", nullable=True),
    notice=TEXT("Why there is no token, or empty."),
)
NEW_KEY = Shape(
    "NewKey",
    {
        "name": TEXT(maxLength=100),
        "kind": TEXT(enum=["server", "client"]),
        "expires_at": MOMENT(optional=True, nullable=True),
        "allowed_origins": TEXTS("Of client keys alone.", optional=True),
        "rights": TEXTS(
            "Of client keys alone: telemetry, so that what it tells decides about releases.",
            optional=True,
        ),
    },
    "A server or client key for the environment of the key that asks.",
)
KEY_PATCH = Shape(
    "KeyPatch",
    {
        "allowed_origins": TEXTS(optional=True),
        "rate_limit": WHOLE(optional=True, nullable=True, minimum=1),
        "burst_limit": WHOLE(optional=True, nullable=True, minimum=1),
    },
)


class KeyList(ApiView):
    @operation(
        "list_keys",
        "access",
        KEYS,
        parameters=[
            query("environment", "Only those of the environment of this key."),
            query("kind", "Only keys of this kind.", enum=KeyKind.values),
        ],
    )
    def get(self, request: Request, project: str) -> Response:
        """A page of the keys of this key's environment, the newest first, without their secrets."""
        rows = _keys_of(request, project, Permission.FLAG_VIEW)
        if place := text(request, "environment"):
            environment_of(request, project, place)
        if kind := choice(request, "kind", KeyKind.values):
            rows = rows.filter(kind=kind)
        return answer_page(request, KEYS, rows, by="-pk")

    @operation("create_key", "access", ISSUED, status=201, body=NEW_KEY)
    def post(self, request: Request, project: str) -> Response:
        """Make a server or client key for the environment of this key. Admin keys people make.

        The token is shown in this answer alone; who repeats the request gets null in its place.
        """
        own = allowed_here(request, project, Permission.KEY_MANAGE)
        issued = services.issue_key(
            environment=own,
            **NEW_KEY.read(request.data),
            intent=Intent(holder_of(request).actor),
        )
        document = ISSUED.dump(issued.key, token=str(issued.token), notice="")
        where = reverse("api-key", args=[project, issued.key.selector])
        return Secretive(document, hidden="token", status=201, headers={"Location": where})


class KeyDetail(ApiView):
    @operation("read_key", "access", KEY)
    def get(self, request: Request, project: str, selector: str) -> Response:
        """A key, by its selector: the part of the token that is no secret."""
        keys = _keys_of(request, project, Permission.FLAG_VIEW)
        return answer(KEY.dump(find(keys, selector=selector)))

    @operation("edit_key", "access", KEY, body=KEY_PATCH)
    def patch(self, request: Request, project: str, selector: str) -> Response:
        """Change where a server or client key may be used from, and how often."""
        key = find(_keys_of(request, project, Permission.KEY_MANAGE), selector=selector)
        fields = {name: getattr(key, name) for name in KEY_PATCH.fields}
        services.edit_key(
            key=key,
            **fields | KEY_PATCH.read(request.data),
            intent=Intent(holder_of(request).actor),
        )
        return answer(KEY.dump(key))

    @operation("revoke_key", "access")
    def delete(self, request: Request, project: str, selector: str) -> Response:
        """Revoke a key of this key's environment at once and for good, this one included."""
        key = find(_keys_of(request, project, Permission.KEY_MANAGE), selector=selector)
        services.revoke_key(key=key, intent=Intent(holder_of(request).actor))
        return Response(status=204)


def _keys_of(request: Request, project: str, permission: Permission) -> QuerySet[ApiKey]:
    own = allowed_here(request, project, permission)
    return (
        selectors.keys_of(own.project)
        .filter(environment=own)
        .select_related("environment__project")
    )
