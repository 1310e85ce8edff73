"""Entity tags: what is read carries one; who has it already gets 304, who writes sends it back."""

import hashlib
import json
import re
from typing import Any, Final

from django.utils.http import parse_etags
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from portal.lib.api.problems import PreconditionRequired
from portal.lib.errors import Invalid

_ETAG: Final = re.compile(r'(?:W/)?"([0-9]{1,18})"')


def etag(version: int) -> str:
    """A version as an entity tag."""
    return f'"{version}"'


def seen_version(request: Request) -> int | None:
    """The version that If-Match names; None without it. Raises Invalid where it is no version."""
    text = request.META.get("HTTP_IF_MATCH", "").strip()
    if not text:
        return None
    match = _ETAG.fullmatch(text)
    if match is None:
        raise Invalid({"If-Match": _('Send the ETag of what you read, like "7".')})
    return int(match[1])


def version_to_change(request: Request, current: int) -> int:
    """The version that If-Match names; without it whatever is there now."""
    seen = seen_version(request)
    return current if seen is None else seen


def required_version(request: Request) -> int:
    """The version that If-Match names. Raises PreconditionRequired (428) without it."""
    version = seen_version(request)
    if version is None:
        raise PreconditionRequired
    return version


def tagged(request: Any, response: Response) -> Response:
    """A good answer to a read with its tag; 304 where If-None-Match names that."""
    if response.status_code != 200:
        return response
    if "ETag" not in response:
        response["ETag"] = _tag_of(response.data)
    response.setdefault("Cache-Control", "private, no-cache")
    if _is_known(request.META.get("HTTP_IF_NONE_MATCH", ""), response["ETag"]):
        response.status_code, response.data = 304, None
    return response


def dumps(document: object) -> str:
    """A document as it is answered: one text for one content."""
    return json.dumps(document, cls=JSONEncoder, sort_keys=True, separators=(",", ":"))


def _tag_of(document: object) -> str:
    return f'"{hashlib.sha256(dumps(document).encode()).hexdigest()[:32]}"'


def _is_known(header: str, tag: str) -> bool:
    """By weak comparison, as RFC 9110 wants of If-None-Match."""
    known = parse_etags(header) if header.strip() else []
    return "*" in known or tag in {one.removeprefix("W/") for one in known}
