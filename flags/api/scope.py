"""What an admin key reaches: the flags of its project, and its own environment."""

from django.http import Http404
from rest_framework.request import Request

from flags import selectors
from flags.models import Flag, FlagConfiguration
from portal.access.api.scope import environment_of, project_of


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
