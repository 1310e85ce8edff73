"""What an admin key reaches of what belongs to flags; the rest is portal.access.api.scope."""

from collections.abc import Callable
from typing import TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404
from rest_framework.request import Request

from flags.core import selectors
from flags.models import Flag, FlagConfiguration
from portal.access.api.scope import environment_of, project_of
from portal.access.models import Project
from portal.lib.api.endpoints import refuse_unfindable

Row = TypeVar("Row")


def flag_of(request: Request, project_key: str, key: str) -> Flag:
    return found_row(selectors.get_flag, request, project_key, key)


def configuration_of(
    request: Request, project_key: str, environment_key: str, key: str
) -> FlagConfiguration:
    environment = environment_of(request, project_key, environment_key)
    configuration = selectors.get_configuration(flag_of(request, project_key, key), environment)
    configuration.environment = environment
    return configuration


def found_row(
    get: Callable[[Project, str], Row], request: Request, project_key: str, key: str
) -> Row:
    project = project_of(request, project_key)
    refuse_unfindable(key)
    try:
        return get(project, key)
    except ObjectDoesNotExist:
        raise Http404 from None
