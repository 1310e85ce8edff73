"""``/api/v1/projects/{project}/segments``, the same in every environment."""

import io
from collections.abc import Mapping
from typing import Any

from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from flags.core.api.scope import found_row
from flags.core.api.shapes import STORED
from flags.engine import limits
from flags.models import Segment
from flags.models.segment import LISTS
from flags.segments import key_lists, selectors as segment_selectors, services as segment_services
from flags.segments.key_lists import KeyChange, KeyFile, Mode
from portal.access.api.scope import holder_of, project_of
from portal.lib.api.endpoints import (
    answer,
    decode_cursor,
    encode_cursor,
    limit_of,
    listing,
    page_of_keys,
    seen_version,
    text,
    version_to_change,
)
from portal.lib.api.parsers import StrictJSONParser, merge_patch
from portal.lib.api.problems import TooLarge
from portal.lib.api.shapes import OBJECT, TEXT, TEXTS, WHOLE, PageShape, Shape
from portal.lib.api.views import CONFLICT, MAY_MATCH, ApiView, operation, query
from portal.lib.errors import Invalid, refuse
from portal.lib.journal import Intent

_TAG = "segments"
MODES = [one.value for one in Mode]
KEY_LIST = Shape(
    "KeyList",
    {"digest": TEXT("SHA-256 of the sorted keys as canonical JSON."), "count": WHOLE()},
    "A list of keys; the keys themselves have an address of their own.",
)
SEGMENT_PATCH = Shape(
    "SegmentPatch",
    {
        "name": TEXT(optional=True, nullable=True),
        "description": TEXT(optional=True, nullable=True),
        "when": OBJECT("Who belongs besides those who are listed.", optional=True, nullable=True),
        "keyed_by": TEXT(
            "The attribute whose values the lists hold.", optional=True, nullable=True
        ),
    },
    "Fields to change; null gives one back its default. The key stays.",
)
NEW_SEGMENT = SEGMENT_PATCH.but(
    "NewSegment",
    key=TEXT(maxLength=limits.MAX_KEY_CHARS),
    included=TEXTS(optional=True),
    excluded=TEXTS(optional=True),
)
SEGMENT = Shape(
    "Segment",
    {
        "key": TEXT(),
        "name": TEXT(),
        "description": TEXT(),
        "when": OBJECT(),
        "keyed_by": TEXT(),
        "included": KEY_LIST.one(),
        "excluded": KEY_LIST.one(),
        **STORED,
    },
    stored="document",
)
SEGMENTS = PageShape("SegmentPage", "segments", SEGMENT.many())
KEYS = PageShape("SegmentKeyPage", "keys", TEXTS(), total=WHOLE())
KEY_CHANGE = Shape(
    "KeyChange",
    {
        "mode": TEXT(enum=MODES, default="add"),
        "keys": TEXTS(items={"type": "string", "maxLength": limits.MAX_UNIT_CHARS}),
    },
)
INVALID_LINE = Shape("InvalidLine", {"line": WHOLE(), "message": TEXT()})
KEY_REPORT = Shape(
    "KeyReport",
    {
        "added": WHOLE(),
        "removed": WHOLE(),
        "already_there": WHOLE(),
        "not_there": WHOLE("To be removed, but not in the list."),
        "conflicts": TEXTS("In the other list; they stayed there."),
        "total": WHOLE(),
        "doubles": WHOLE("More than once in what was sent."),
        "invalid_lines": WHOLE(),
        "invalid": INVALID_LINE.many("The first 100 of them."),
        "version": WHOLE("The segment's, afterwards."),
    },
)
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
            if body.tell() > key_lists.MOST_BYTES:
                raise TooLarge(key_lists.MOST_BYTES)
        body.seek(0)
        return body


class SegmentList(ApiView):
    """The segments of a project."""

    @operation("list_segments", _TAG, SEGMENTS, parameters=[query("search", "In key and name.")])
    def get(self, request: Request, project: str) -> Response:
        """A page of segments, in order of their keys."""
        search = text(request, "search")
        found = segment_selectors.list_segments(project_of(request, project), search=search)
        by_key = {segment.key: segment for segment in found}
        page, following = page_of_keys(request, by_key)
        return listing(request, SEGMENTS, [by_key[key] for key in page], following)

    @operation("create_segment", _TAG, SEGMENT, status=201, body=NEW_SEGMENT)
    def post(self, request: Request, project: str) -> Response:
        """Create a segment. Nobody is served otherwise by it until a rule names it."""
        segment = segment_services.create_segment(
            project=project_of(request, project),
            document=request.data,
            intent=Intent(holder_of(request).actor),
        )
        where = reverse("api-segment", kwargs={"project": project, "key": segment.key})
        return answer(SEGMENT.dump(segment), version=segment.version, at=where)


class SegmentDetail(ApiView):
    """One segment; its key may hold slashes."""

    @operation("read_segment", _TAG, SEGMENT)
    def get(self, request: Request, project: str, key: str) -> Response:
        """A segment, its lists by digest and count. Its ETag is its version."""
        segment = segment_of(request, project, key)
        return answer(SEGMENT.dump(segment), version=segment.version)

    @operation("edit_segment", _TAG, SEGMENT, CONFLICT, body=SEGMENT_PATCH, parameters=[MAY_MATCH])
    def patch(self, request: Request, project: str, key: str) -> Response:
        """Change a segment, in every environment, by a merge patch (RFC 7396)."""
        segment = segment_of(request, project, key)
        edited = segment_services.edit_segment(
            segment=segment,
            document=merge_patch(segment.about, request.data),
            expected_version=version_to_change(request, segment.version),
            intent=Intent(holder_of(request).actor),
        )
        return answer(SEGMENT.dump(edited), version=edited.version)

    @operation("delete_segment", _TAG, None, CONFLICT, parameters=[MAY_MATCH])
    def delete(self, request: Request, project: str, key: str) -> Response:
        """Delete a segment that nothing refers to; 409 names what does."""
        segment_services.delete_segment(
            segment=segment_of(request, project, key),
            expected_version=seen_version(request),
            intent=Intent(holder_of(request).actor),
        )
        return Response(status=204)


class SegmentKeys(ApiView):
    """The keys in one of a segment's lists, ``included`` or ``excluded``."""

    parser_classes = [StrictJSONParser, CSVParser]
    max_body_bytes = key_lists.MOST_BYTES

    @operation("list_segment_keys", _TAG, KEYS, parameters=[query("search", "In the key.")])
    def get(self, request: Request, project: str, which: str, key: str) -> Response:
        """A page of keys, in their order."""
        segment = _with_list(segment_of(request, project, key), which)
        page = segment_selectors.page_of_keys(
            getattr(segment, which).keys,
            search=text(request, "search"),
            after=decode_cursor(text(request, "cursor")),
            size=limit_of(request),
        )
        return listing(request, KEYS, page.keys, encode_cursor(page.next_after), total=page.total)

    @operation(
        "change_segment_keys",
        _TAG,
        KEY_REPORT,
        CONFLICT,
        body={"application/json": KEY_CHANGE, "text/csv": OpenApiTypes.STR},
        parameters=[
            MAY_MATCH,
            query("mode", "What to do with the keys of a CSV file.", enum=MODES),
        ],
    )
    def post(self, request: Request, project: str, which: str, key: str) -> Response:
        """Add keys to a list, remove them, or replace it; as JSON, or a CSV file's first column.

        Keys in the other list stay there and are reported. Without If-Match it is done on
        whatever the list is by then.
        """
        segment = _with_list(segment_of(request, project, key), which)
        mode, found = _sent(request)
        report = segment_services.change_keys(
            segment=segment,
            change=KeyChange(which, mode, found.keys),
            expected_version=seen_version(request),
            intent=Intent(holder_of(request).actor),
        )
        version = segment_of(request, project, key).version
        document = KEY_REPORT.dump(
            report,
            doubles=found.doubles,
            invalid_lines=found.invalid_lines,
            invalid=[{"line": line, "message": said} for line, said in found.invalid],
            version=version,
        )
        return answer(document, version=version)


def _sent(request: Request) -> tuple[Mode, KeyFile]:
    """The keys of the body, and what to do with them. Raises Invalid."""
    if isinstance(request.data, io.BytesIO):
        found = key_lists.read_csv(request.data, size=request.data.getbuffer().nbytes)
        return _mode(text(request, "mode") or "add"), found
    body = request.data if isinstance(request.data, dict) else {}
    problems = {name: _("There is no such field.") for name in body.keys() - {"mode", "keys"}}
    if not isinstance(body.get("keys"), list):
        problems["keys"] = _("Give a list of keys.")
    refuse(problems)
    keys = key_lists.check_keys(body["keys"])
    return _mode(body.get("mode", "add")), KeyFile(set(keys), doubles=len(keys) - len(set(keys)))


def _mode(value: object) -> Mode:
    if value not in set(Mode):
        raise Invalid.of("mode", _("Choose one of: {modes}."), modes=", ".join(Mode))
    return Mode(str(value))


def _with_list(segment: Segment, which: str) -> Segment:
    if which not in LISTS:
        raise Http404
    return segment


def segment_of(request: Request, project_key: str, key: str) -> Segment:
    return found_row(segment_selectors.get_segment, request, project_key, key)
