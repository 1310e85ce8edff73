"""``/api/v1/projects/{project}/segments``: cohorts, the same in every environment."""

import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from flags import cohorts, services
from flags.api import cohort_schema as schema
from flags.api.documents import merge_patch
from flags.models import Segment
from flags.models.segment import LISTS
from flags.services import key_files, key_lists
from flags.services.key_files import KeyFile
from flags.services.key_lists import KeyChange, Mode
from portal.access.api.authentication import holder_of
from portal.access.api.scope import project_of
from portal.lib.api.etags import etag, seen_version
from portal.lib.api.pagination import (
    PAGING,
    decode_cursor,
    encode_cursor,
    limit_of,
    listing,
    page_of_keys,
)
from portal.lib.api.parsers import MergePatchParser, StrictJSONParser
from portal.lib.api.problems import TooLarge
from portal.lib.api.query import text
from portal.lib.api.views import ApiView
from portal.lib.errors import Invalid
from portal.lib.intent import Intent

_CHUNK = 64 * 1024


class CSVParser(BaseParser):
    """A CSV file of up to the view's ``max_body_bytes``, as a file to read."""

    media_type = "text/csv"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body = io.BytesIO()
        while chunk := stream.read(_CHUNK):
            body.write(chunk)
            if body.tell() > key_files.MOST_BYTES:
                raise TooLarge(key_files.MOST_BYTES)
        body.seek(0)
        return body


class SegmentList(ApiView):
    """The segments of a project."""

    asks = {"GET": ("search", *PAGING)}

    @schema.list_segments
    def get(self, request: Request, project: str) -> Response:
        """A page of segments, in order of their keys."""
        search = text(request, "search")
        found = cohorts.list_segments(project_of(request, project), search=search)
        by_key = {segment.key: segment for segment in found}
        page, following = page_of_keys(request, by_key)
        documents = [segment_document(by_key[key]) for key in page]
        return listing(request, "segments", documents, following)

    @schema.create_segment
    def post(self, request: Request, project: str) -> Response:
        """Create a segment. Nobody is served otherwise by it until a rule names it."""
        segment = services.create_segment(
            project=project_of(request, project),
            document=request.data,
            intent=Intent(holder_of(request).actor),
        )
        where = reverse("api-segment", kwargs={"project": project, "key": segment.key})
        return _answer(segment, status=201, headers={"Location": quote(where, safe="/%")})


class SegmentDetail(ApiView):
    """One segment; its key may hold slashes."""

    parser_classes = [StrictJSONParser, MergePatchParser]

    @schema.read_segment
    def get(self, request: Request, project: str, key: str) -> Response:
        """A segment, its lists by digest and count. Its ETag is its version."""
        return _answer(segment_of(request, project, key))

    @schema.edit_segment
    def patch(self, request: Request, project: str, key: str) -> Response:
        """Change a segment, in every environment, by a merge patch (RFC 7396)."""
        segment = segment_of(request, project, key)
        seen = seen_version(request)
        edited = services.edit_segment(
            segment=segment,
            document=merge_patch(segment.about, request.data),
            expected_version=segment.version if seen is None else seen,
            intent=Intent(holder_of(request).actor),
        )
        return _answer(edited)

    @schema.delete_segment
    def delete(self, request: Request, project: str, key: str) -> Response:
        """Delete a segment that nothing refers to; 409 names what does."""
        services.delete_segment(
            segment=segment_of(request, project, key),
            expected_version=seen_version(request),
            intent=Intent(holder_of(request).actor),
        )
        return Response(status=204)


class SegmentKeys(ApiView):
    """The keys in one of a segment's lists, ``included`` or ``excluded``."""

    parser_classes = [StrictJSONParser, CSVParser]
    max_body_bytes = key_files.MOST_BYTES
    asks = {"GET": ("search", *PAGING), "POST": ("mode",)}

    @schema.list_keys
    def get(self, request: Request, project: str, which: str, key: str) -> Response:
        """A page of keys, in their order."""
        segment = _with_list(segment_of(request, project, key), which)
        page = cohorts.page_of_keys(
            getattr(segment, which).keys,
            search=text(request, "search"),
            after=decode_cursor(text(request, "cursor")),
            size=limit_of(request),
        )
        following = encode_cursor(page.next_after)
        return listing(request, "keys", page.keys, following, total=page.total)

    @schema.change_keys
    def post(self, request: Request, project: str, which: str, key: str) -> Response:
        """Add keys to a list, remove them, or replace it; as JSON, or a CSV file's first column.

        Keys in the other list stay there and are reported. Without If-Match it is done on
        whatever the list is by then.
        """
        segment = _with_list(segment_of(request, project, key), which)
        mode, found = _sent(request)
        report = services.change_keys(
            segment=segment,
            change=KeyChange(which, mode, found.keys),
            expected_version=seen_version(request),
            intent=Intent(holder_of(request).actor),
        )
        segment = segment_of(request, project, key)
        return Response(
            {
                "added": report.added,
                "removed": report.removed,
                "already_there": report.already_there,
                "not_there": report.not_there,
                "conflicts": report.conflicts,
                "total": report.total,
                "doubles": found.doubles,
                "invalid_lines": found.invalid_lines,
                "invalid": [{"line": line, "message": said} for line, said in found.invalid],
                "version": segment.version,
            },
            headers={"ETag": etag(segment.version)},
        )


def _sent(request: Request) -> tuple[Mode, KeyFile]:
    """The keys of the body, and what to do with them. Raises Invalid."""
    if isinstance(request.data, io.BytesIO):
        found = key_files.read_csv(request.data, size=request.data.getbuffer().nbytes)
        return _mode(text(request, "mode") or "add"), found
    body = request.data if isinstance(request.data, dict) else {}
    problems = {name: _("There is no such field.") for name in body.keys() - {"mode", "keys"}}
    if not isinstance(body.get("keys"), list):
        problems["keys"] = _("Give a list of keys.")
    if problems:
        raise Invalid(problems)
    keys = key_lists.check_keys(body["keys"])
    return _mode(body.get("mode", "add")), KeyFile(set(keys), doubles=len(keys) - len(set(keys)))


def _mode(value: object) -> Mode:
    if value not in set(Mode):
        raise Invalid({"mode": _("Choose one of: {modes}.").format(modes=", ".join(Mode))})
    return Mode(str(value))


def segment_of(request: Request, project_key: str, key: str) -> Segment:
    """A segment of the key's project."""
    project = project_of(request, project_key)
    if "\0" in key:  # PostgreSQL refuses to look for it
        raise Http404
    try:
        return cohorts.get_segment(project, key)
    except Segment.DoesNotExist:
        raise Http404 from None


def _with_list(segment: Segment, which: str) -> Segment:
    if which not in LISTS:
        raise Http404
    return segment


def segment_document(segment: Segment) -> dict[str, object]:
    """A segment as the API answers it."""
    return {
        **segment.document,
        "version": segment.version,
        "created_at": segment.created_at.isoformat(),
        "updated_at": segment.updated_at.isoformat(),
    }


def _answer(
    segment: Segment, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    tagged = {"ETag": etag(segment.version), **(headers or {})}
    return Response(segment_document(segment), status=status, headers=tagged)
