"""``/api/v1/projects/{project}/environments/{environment}/…``: what flags do in one environment."""

from rest_framework.request import Request
from rest_framework.response import Response

from flags import selectors, services
from flags.api import schema
from flags.api.documents import merge_patch
from flags.api.scope import configuration_of
from flags.models import FlagConfiguration
from flags.services import importing
from flags.snapshots import delivery
from portal.access.api.authentication import holder_of
from portal.access.api.scope import environment_of
from portal.lib.api.etags import etag, required_version, seen_version
from portal.lib.api.pagination import PAGING, listing, page_of
from portal.lib.api.parsers import MergePatchParser, StrictJSONParser
from portal.lib.api.query import switch
from portal.lib.api.views import ApiView
from portal.lib.intent import Intent


class ConfigurationList(ApiView):
    """What all flags do in one environment."""

    asks = {"GET": PAGING}

    @schema.list_configurations
    def get(self, request: Request, project: str, environment: str) -> Response:
        """A page of the configurations of the flags in use, in order of the flags' keys."""
        place = environment_of(request, project, environment)
        rows = selectors.configurations_in(place)
        page, following = page_of(request, rows, by="flag__key")
        documents = [{"flag": one.flag.key, **_versioned(one)} for one in page]
        return listing(request, "configurations", documents, following)


class ConfigurationDetail(ApiView):
    """A flag's configuration in one environment."""

    parser_classes = [StrictJSONParser, MergePatchParser]

    @schema.read_configuration
    def get(self, request: Request, project: str, environment: str, key: str) -> Response:
        """Whether the flag is on, and who gets what. The ETag is the version to give back."""
        return _answer(configuration_of(request, project, environment, key))

    @schema.save_configuration
    def put(self, request: Request, project: str, environment: str, key: str) -> Response:
        """Replace the configuration that you read: If-Match carries its ETag."""
        configuration = configuration_of(request, project, environment, key)
        saved = services.save_configuration(
            flag=configuration.flag,
            environment=configuration.environment,
            document=request.data,
            expected_version=required_version(request),
            intent=Intent(holder_of(request).actor),
        )
        return _answer(saved)

    @schema.edit_configuration
    def patch(self, request: Request, project: str, environment: str, key: str) -> Response:
        """Change some of the configuration by a merge patch (RFC 7396).

        If-Match carries the ETag that you read. It is needed for all but turning off: that is
        `{"enabled": false}` and nothing else, and always safe.
        """
        configuration = configuration_of(request, project, environment, key)
        patch, actor = request.data, holder_of(request).actor
        if patch == {"enabled": False} and seen_version(request) is None:
            switched = services.set_enabled(
                flag=configuration.flag,
                environment=configuration.environment,
                enabled=False,
                intent=Intent(actor),
            )
            return _answer(switched.configuration)
        saved = services.save_configuration(
            flag=configuration.flag,
            environment=configuration.environment,
            document=merge_patch(configuration.document, patch),
            expected_version=required_version(request),
            intent=Intent(actor),
        )
        return _answer(saved)


class Import(ApiView):
    """Flags from a file."""

    asks = {"POST": ("format", "mode", "bucketing", "dry_run")}
    max_body_bytes = 20 * 1024 * 1024

    @schema.import_flags
    def post(self, request: Request, project: str, environment: str) -> Response:
        """Import a file, all of it at once or nothing.

        Only this environment's configurations change; new flags are off in the others. Mode
        ``replace`` also turns off, in this environment, the flags that the file does not have.
        Segments and exclusion groups of the file are created or changed for all environments, and
        none is deleted. What cannot be taken over exactly is reported with the reason and left
        alone. When it answers, so do the evaluators.
        """
        place = environment_of(request, project, environment)
        report = importing.import_document(
            environment=place,
            format_name=request.query_params.get("format", ""),
            document=request.data,
            mode=request.query_params.get("mode", "merge"),
            bucketing=request.query_params.get("bucketing"),
            dry_run=switch(request, "dry_run"),
            intent=Intent(holder_of(request).actor),
        )
        delivery.wait_until_live([place], within_s=1 + report.changes / 1000)
        return Response(report.document)


def _versioned(configuration: FlagConfiguration) -> dict[str, object]:
    return {**configuration.document, "version": configuration.version}


def _answer(configuration: FlagConfiguration) -> Response:
    headers = {"ETag": etag(configuration.version)}
    return Response(configuration.document, headers=headers)
