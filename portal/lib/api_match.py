"""Versions as entity tags: what is read carries one, and who writes says which they read."""

import re
from typing import Final

from django.utils.translation import gettext as _
from rest_framework.request import Request

from portal.lib.api import PreconditionRequired
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


def required_version(request: Request) -> int:
    """The version that If-Match names. Raises PreconditionRequired (428) without it."""
    version = seen_version(request)
    if version is None:
        raise PreconditionRequired
    return version
