"""Entity tags of what is read, and what is answered to who has it already."""

import hashlib
import json
from typing import Any

from django.utils.http import parse_etags
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder


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
