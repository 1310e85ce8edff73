"""What an admin key reaches: its project, and its own environment; every endpoint asks here."""

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework.request import Request

from portal.access import authority
from portal.access.api.authentication import holder_of
from portal.access.models import Environment, Project
from portal.access.permissions import Permission
from portal.lib.api.query import find
from portal.lib.errors import Invalid


def project_of(request: Request, project_key: str) -> Project:
    """The key's project, if that is the one asked for."""
    holder = holder_of(request)
    if holder.project.key != project_key:
        raise Http404
    authority.require(holder.actor, Permission.FLAG_VIEW, project=holder.project)
    return holder.project


def allowed(request: Request, project_key: str, permission: Permission) -> Project:
    """As project_of, for what the key needs a permission for. Raises Forbidden."""
    project = project_of(request, project_key)
    authority.require(holder_of(request).actor, permission, project=project)
    return project


def allowed_here(request: Request, project_key: str, permission: Permission) -> Environment:
    """The key's own environment, for what the key needs a permission for there."""
    project, own = project_of(request, project_key), holder_of(request).environment
    authority.require(holder_of(request).actor, permission, project=project, environment=own)
    return own


def environment_of(
    request: Request,
    project_key: str,
    environment_key: str,
    permission: Permission = Permission.FLAG_VIEW,
) -> Environment:
    """The key's environment; another one of its project is forbidden, and said to be.

    Raises Forbidden where the key lacks the permission that something needs there.
    """
    project = project_of(request, project_key)
    own = holder_of(request).environment
    if own.key == environment_key:
        return allowed_here(request, project_key, permission)
    find(project.environments, key=environment_key)
    text = _("This key is for the environment “{own}” and does not reach “{other}”.")
    raise PermissionDenied(text.format(own=own.key, other=environment_key))


def place_of(project: Project, key: str, field: str = "environment") -> Environment:
    """The environment that a body names in ``field``. Raises Invalid."""
    found = project.environments.filter(key=key).first()
    if found is None:
        raise Invalid({field: _("There is no such environment in this project.")})
    return found


def place_or_all(project: Project, key: str | None) -> Environment | None:
    """As place_of; None, where a body names none or null, is all environments."""
    return place_of(project, key) if key is not None else None
