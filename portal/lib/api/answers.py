"""Answers that endpoints have in common."""

from urllib.parse import quote

from rest_framework.response import Response

from portal.lib.api.etags import etag


def answer(
    document: object, *, version: int | None = None, status: int = 200, at: str = ""
) -> Response:
    """A document. Its ``version`` is the ETag; ``at`` is the address of what was made: 201."""
    headers = {}
    if version is not None:
        headers["ETag"] = etag(version)
    if at:
        headers["Location"] = quote(at, safe="/%")
    return Response(document, status=201 if at else status, headers=headers)
