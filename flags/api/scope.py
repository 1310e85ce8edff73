"""What an admin key reaches: the flags of its project, and its own environment."""

import re

from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework.request import Request

from flags import selectors
from flags.models import Flag, FlagConfiguration
from portal.access.api_scope import environment_of, project_of
from portal.lib.api import PreconditionRequired
from portal.lib.errors import Invalid

_ETAG = re.compile(r'(?:W/)?"([0-9]{1,18})"')


def flag_of(request: Request, project_key: str, key: str) -> Flag:
    """A flag of the key's project."""
    project = project_of(request, project_key)
    if "\0" in key:  # PostgreSQL refuses to look for it
        raise Http404
    try:
        return selectors.get_flag(project, key)
    except Flag.DoesNotExist:
        raise Http404 from None


def configuration_of(
    request: Request, project_key: str, environment_key: str, key: str
) -> FlagConfiguration:
    """A flag's configuration in the key's environment."""
    environment = environment_of(request, project_key, environment_key)
    flag = flag_of(request, project_key, key)
    configuration = selectors.get_configuration(flag, environment)
    configuration.environment = environment
    return configuration


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
