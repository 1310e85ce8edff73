"""``/api/v1/projects/{project}/flags``: what flags are, in every environment."""

from urllib.parse import quote

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from flags import selectors, services
from flags.api import schema
from flags.api.documents import flag_document, merge_patch
from flags.api.paging import ASKS, filter_of
from flags.api.scope import flag_of
from flags.models import Flag
from flags.usage.reading import refuse_asked_for
from portal.access.api.authentication import holder_of
from portal.access.api.scope import project_of
from portal.lib import clock
from portal.lib.api.etags import etag, seen_version
from portal.lib.api.pagination import encode_cursor, listing
from portal.lib.api.parsers import MergePatchParser, StrictJSONParser
from portal.lib.api.query import switch
from portal.lib.api.views import ApiView
from portal.lib.intent import Intent


class FlagList(ApiView):
    """The flags of a project."""

    asks = {"GET": ASKS}

    @schema.list_flags
    def get(self, request: Request, project: str) -> Response:
        """A page of flags, in order of their keys."""
        found = filter_of(request)
        page = selectors.list_flags(project_of(request, project), found, now=clock.now())
        documents = [flag_document(flag) for flag in page.flags]
        return listing(
            request, "flags", documents, encode_cursor(page.next_after), total=page.total
        )

    @schema.create_flag
    def post(self, request: Request, project: str) -> Response:
        """Create a flag. It is off in every environment, and its key and value type stay.

        Where a policy stands it is not introduced yet: applications there get FLAG_NOT_FOUND until
        somebody introduces it, by `{"introduced": true}` or by turning it on.
        """
        flag = services.create_flag(
            project=project_of(request, project),
            document=request.data,
            intent=Intent(holder_of(request).actor),
        )
        where = reverse("api-flag", kwargs={"project": project, "key": flag.key})
        return _answer(flag, status=201, headers={"Location": quote(where, safe="/%")})


class FlagDetail(ApiView):
    """One flag; its key may hold slashes."""

    parser_classes = [StrictJSONParser, MergePatchParser]
    asks = {"DELETE": ("force",)}

    @schema.read_flag
    def get(self, request: Request, project: str, key: str) -> Response:
        """What a flag is. Its ETag is the version of its definition."""
        return _answer(flag_of(request, project, key))

    @schema.edit_flag
    def patch(self, request: Request, project: str, key: str) -> Response:
        """Change what a flag is, in every environment, by a merge patch (RFC 7396).

        With If-Match only the version that you read is changed. What applications get in other
        environments than the key's takes a person: 403 names them.
        """
        flag = flag_of(request, project, key)
        seen = seen_version(request)
        edited = services.edit_flag(
            flag=flag,
            document=merge_patch(flag.document, request.data),
            expected_version=flag.version if seen is None else seen,
            intent=Intent(holder_of(request).actor),
        )
        return _answer(edited)

    @schema.archive_flag
    def delete(self, request: Request, project: str, key: str) -> Response:
        """Archive a flag: evaluators stop answering it everywhere. It keeps what it has.

        One that was asked for within the last hour is archived only with ``force``. One that
        other environments than the key's answer takes a person: 403 names them.
        """
        flag, now = flag_of(request, project, key), clock.now()
        if not switch(request, "force"):
            refuse_asked_for(flag, now=now, within=holder_of(request).environment)
        services.archive_flag(flag=flag, intent=Intent(holder_of(request).actor, at=now))
        return Response(status=204)


class FlagRestoring(ApiView):
    """Bringing an archived flag back."""

    @schema.restore_flag
    def post(self, request: Request, project: str, key: str) -> Response:
        """Bring an archived flag back, just as it was."""
        flag = flag_of(request, project, key)
        services.restore_flag(flag=flag, intent=Intent(holder_of(request).actor))
        return _answer(flag_of(request, project, key))


def _answer(flag: Flag, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    tagged = {"ETag": etag(flag.version), **(headers or {})}
    return Response(flag_document(flag), status=status, headers=tagged)
