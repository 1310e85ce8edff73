"""What an admin key reaches: the flags of its project, and its own environment."""

import re

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework.request import Request

from flags import selectors
from flags.models import Flag, FlagConfiguration
from portal.access import authority
from portal.access.api import holder_of
from portal.access.models import Environment, Project
from portal.access.permissions import Permission
from portal.lib.api import PreconditionRequired
from portal.lib.errors import Invalid

_ETAG = re.compile(r'(?:W/)?"([0-9]{1,18})"')


def project_of(request: Request, project_key: str) -> Project:
    """The key's project, if that is the one asked for."""
    holder = holder_of(request)
    if holder.project.key != project_key:
        raise Http404
    authority.require(holder.actor, Permission.FLAG_VIEW, project=holder.project)
    return holder.project


def environment_of(request: Request, project_key: str, environment_key: str) -> Environment:
    """The key's environment; another one of its project is forbidden, and said to be."""
    project = project_of(request, project_key)
    own = holder_of(request).environment
    if own.key == environment_key:
        return own
    if not project.environments.filter(key=environment_key).exists():
        raise Http404
    text = _("This key is for the environment “{own}” and does not reach “{other}”.")
    raise PermissionDenied(text.format(own=own.key, other=environment_key))


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
