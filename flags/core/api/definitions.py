"""``/api/v1/projects/{project}/flags``: what flags are, in every environment."""

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from flags.core import definitions, selectors
from flags.core.api.scope import flag_of
from flags.core.api.shapes import FLAG, FLAG_PATCH, FLAGS, KINDS, NEW_FLAG
from flags.core.searching import FlagFilter
from flags.usage.reading import refuse_if_evaluated
from portal.access.api.scope import holder_of, project_of
from portal.lib import clock
from portal.lib.api.endpoints import (
    answer,
    choice,
    decode_cursor,
    encode_cursor,
    limit_of,
    listing,
    switch,
    text,
    version_to_change,
)
from portal.lib.api.parsers import merge_patch
from portal.lib.api.views import CONFLICT, MAY_MATCH, WAITING, WAITS, ApiView, operation, query
from portal.lib.journal import Intent

_TAG = "flags"


class FlagList(ApiView):
    """The flags of a project."""

    @operation(
        "list_flags",
        _TAG,
        FLAGS,
        parameters=[
            query("search", "In key, name, description and owner."),
            query("archived", "The archived flags instead of the others.", bool),
            query("kind", "Only flags of this kind.", enum=KINDS),
            query("tag", "Only flags with this tag."),
        ],
    )
    def get(self, request: Request, project: str) -> Response:
        """A page of flags, in order of their keys."""
        wanted = FlagFilter(
            search=text(request, "search"),
            kind=choice(request, "kind", KINDS),
            tags=tuple(filter(None, [text(request, "tag")])),
            archived=switch(request, "archived"),
            environment=holder_of(request).environment.key,
            after=decode_cursor(text(request, "cursor")),
            size=limit_of(request),
        )
        page = selectors.list_flags(project_of(request, project), wanted, now=clock.now())
        following = encode_cursor(page.next_after)
        return listing(request, FLAGS, page.flags, following, total=page.total)

    @operation("create_flag", _TAG, FLAG, status=201, body=NEW_FLAG)
    def post(self, request: Request, project: str) -> Response:
        """Create a flag. It is off in every environment, and its key and value type stay.

        Where a policy stands it is not introduced yet: applications there get FLAG_NOT_FOUND until
        somebody introduces it, by `{"introduced": true}` or by turning it on.
        """
        flag = definitions.create_flag(
            project=project_of(request, project),
            document=request.data,
            intent=Intent(holder_of(request).actor),
        )
        where = reverse("api-flag", kwargs={"project": project, "key": flag.key})
        return answer(FLAG.dump(flag), version=flag.version, at=where)


class FlagDetail(ApiView):
    """One flag; its key may hold slashes."""

    @operation("read_flag", _TAG, FLAG)
    def get(self, request: Request, project: str, key: str) -> Response:
        """What a flag is. Its ETag is the version of its definition."""
        flag = flag_of(request, project, key)
        return answer(FLAG.dump(flag), version=flag.version)

    @operation("edit_flag", _TAG, FLAG, CONFLICT, body=FLAG_PATCH, parameters=[MAY_MATCH])
    def patch(self, request: Request, project: str, key: str) -> Response:
        """Change what a flag is, in every environment, by a merge patch (RFC 7396).

        With If-Match only the version that you read is changed. What applications get in other
        environments than the key's takes a person: 403 names them.
        """
        flag = flag_of(request, project, key)
        edited = definitions.edit_flag(
            flag=flag,
            document=merge_patch(flag.document, request.data),
            expected_version=version_to_change(request, flag.version),
            intent=Intent(holder_of(request).actor),
        )
        return answer(FLAG.dump(edited), version=edited.version)

    @operation(
        "archive_flag",
        _TAG,
        None,
        (409, WAITING, f"It was asked for within the last hour; send `force`. {WAITS[2]}"),
        parameters=[query("force", "Archive it although it is still asked for.", bool)],
    )
    def delete(self, request: Request, project: str, key: str) -> Response:
        """Archive a flag: evaluators stop answering it everywhere. It keeps what it has.

        One that was asked for within the last hour is archived only with ``force``. One that
        other environments than the key's answer takes a person: 403 names them.
        """
        flag, now = flag_of(request, project, key), clock.now()
        if not switch(request, "force"):
            refuse_if_evaluated(flag, now=now, within=holder_of(request).environment)
        definitions.archive_flag(flag=flag, intent=Intent(holder_of(request).actor, at=now))
        return Response(status=204)


class FlagRestoring(ApiView):
    """Bringing an archived flag back."""

    @operation("restore_flag", _TAG, FLAG, WAITS)
    def post(self, request: Request, project: str, key: str) -> Response:
        """Bring an archived flag back, just as it was."""
        flag = flag_of(request, project, key)
        definitions.restore_flag(flag=flag, intent=Intent(holder_of(request).actor))
        restored = flag_of(request, project, key)
        return answer(FLAG.dump(restored), version=restored.version)
