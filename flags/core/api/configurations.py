"""``/api/v1/projects/{project}/environments/{environment}/…``: what flags do in one environment."""

from rest_framework.request import Request
from rest_framework.response import Response

from flags.core import configurations, selectors
from flags.core.api.scope import configuration_of
from flags.core.api.shapes import CONFIGURATION, CONFIGURATION_PATCH, CONFIGURATIONS
from flags.models import FlagConfiguration
from portal.access.api.scope import environment_of, holder_of
from portal.lib.api.endpoints import answer, answer_page, required_version, seen_version
from portal.lib.api.parsers import merge_patch
from portal.lib.api.views import (
    CONFLICT,
    IF_MATCH,
    NO_MATCH,
    ApiView,
    header,
    operation,
)
from portal.lib.journal import Intent

_TAG = "one environment"


class ConfigurationList(ApiView):
    """What all flags do in one environment."""

    @operation("list_configurations", _TAG, CONFIGURATIONS)
    def get(self, request: Request, project: str, environment: str) -> Response:
        """A page of the configurations of the flags in use, in order of the flags' keys."""
        rows = selectors.configurations_in(environment_of(request, project, environment))
        return answer_page(request, CONFIGURATIONS, rows, by="flag__key")


class ConfigurationDetail(ApiView):
    """A flag's configuration in one environment."""

    @operation("read_configuration", _TAG, CONFIGURATION)
    def get(self, request: Request, project: str, environment: str, key: str) -> Response:
        """Whether the flag is on, and who gets what. The ETag is the version to give back."""
        return _answer(configuration_of(request, project, environment, key))

    @operation(
        "save_configuration",
        _TAG,
        CONFIGURATION,
        CONFLICT,
        NO_MATCH,
        body=CONFIGURATION,
        parameters=[IF_MATCH],
    )
    def put(self, request: Request, project: str, environment: str, key: str) -> Response:
        """Replace the configuration that you read: If-Match carries its ETag."""
        configuration = configuration_of(request, project, environment, key)
        saved = configurations.save_configuration(
            flag=configuration.flag,
            environment=configuration.environment,
            document=request.data,
            expected_version=required_version(request),
            intent=Intent(holder_of(request).actor),
        )
        return _answer(saved)

    @operation(
        "edit_configuration",
        _TAG,
        CONFIGURATION,
        CONFLICT,
        NO_MATCH,
        body=CONFIGURATION_PATCH,
        parameters=[
            header("If-Match", 'The ETag that was read; `{"enabled": false}` alone needs none.')
        ],
    )
    def patch(self, request: Request, project: str, environment: str, key: str) -> Response:
        """Change some of the configuration by a merge patch (RFC 7396).

        If-Match carries the ETag that you read. It is needed for all but turning off: that is
        `{"enabled": false}` and nothing else, and always safe.
        """
        configuration = configuration_of(request, project, environment, key)
        patch, actor = request.data, holder_of(request).actor
        if patch == {"enabled": False} and seen_version(request) is None:
            switched = configurations.set_enabled(
                flag=configuration.flag,
                environment=configuration.environment,
                enabled=False,
                intent=Intent(actor),
            )
            return _answer(switched.configuration)
        saved = configurations.save_configuration(
            flag=configuration.flag,
            environment=configuration.environment,
            document=merge_patch(configuration.document, patch),
            expected_version=required_version(request),
            intent=Intent(actor),
        )
        return _answer(saved)


def _answer(configuration: FlagConfiguration) -> Response:
    return answer(configuration.document, version=configuration.version)
