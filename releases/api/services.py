"""``…/projects/{project}/services``: what is deployed, how it is released, and its versions."""

from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access.api.scope import environment_of, holder_of, project_of
from portal.lib import clock
from portal.lib.api.endpoints import answer, answer_page, find, seen_version
from portal.lib.api.shapes import (
    MOMENT,
    OBJECT,
    OBJECTS,
    TEXT,
    TEXTS,
    WHOLE,
    PageShape,
    Shape,
    read_object,
)
from portal.lib.api.views import CONFLICT, MAY_MATCH, ApiView, operation
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from releases.catalogue import selectors, services
from releases.catalogue.models import Service
from releases.catalogue.reading import MOST_OWNERS
from releases.core.descriptions import metrics_words
from releases.telemetry.reading import warnings

TAG = "releases"
NEW_SERVICE = Shape(
    "NewService",
    {
        "key": TEXT("As in the address; may be left out.", optional=True),
        "name": TEXT("Without one its key.", optional=True, maxLength=200),
        "owners": TEXTS("Usernames.", optional=True, maxItems=MOST_OWNERS),
    },
)
SERVICE = Shape(
    "Service", {"key": TEXT(), "name": TEXT(), "owners": TEXTS(), "created_at": MOMENT()}
)
ONE_SERVICE = SERVICE.but(
    "OneService",
    metrics_warnings=TEXTS(
        "What is wrong with the metrics that were sent of it in the last ten minutes.",
        of=lambda row: [metrics_words(one) for one in warnings(row, now=clock.now())],
    ),
)
SERVICES = PageShape("ServicePage", "services", SERVICE.many())
_ROUTER = OBJECT(
    'Who moves traffic: {"kind": "flag", "flag", "variants": [two of its variants], "baseline"?, '
    '"bucket_by"?, "tester_url"?, "pin_s"?}, {"kind": "webhook", "url"}, {"kind": "manual"}, '
    '{"kind": "haproxy", "haproxy": [names], "places": [two backends], "baseline"?, "map", "key", '
    '"pin_s"?} '
    'or {"kind": "haproxy", "haproxy", "places", "baseline"?, "backend", '
    '"servers": {place: [names]}}.'
)
_DEPLOYER = (
    'Who deploys: {"kind": "webhook", "url": …}, {"kind": "manual"}, or nothing; either may have '
    '"instances" and "addresses" of instances or places.'
)
NEW_SETUP = Shape(
    "NewSetup",
    {
        "router": _ROUTER,
        "deployer": OBJECT(_DEPLOYER, optional=True),
        "checks": OBJECTS("What every release is checked for.", optional=True),
        "rollback_config": OBJECT("The block of the deployment guide.", optional=True),
    },
    "How a service is released in an environment; what is left out is empty.",
)
SETUP = Shape(
    "Setup",
    {
        "router": _ROUTER,
        "deployer": OBJECT(),
        "checks": OBJECTS("With every field that their kind has."),
        "rollback_config": OBJECT(),
        "version": WHOLE("Also the ETag."),
        "updated_at": MOMENT(),
        "updated_by": TEXT(),
    },
    "How a service is released in an environment.",
)
ARTEFACT = Shape(
    "Artefact",
    {
        "kind": TEXT("Such as image, package or archive."),
        "version": TEXT(),
        "digest": TEXT(),
        "commit": TEXT("Or empty."),
        "built_at": MOMENT(nullable=True),
        "links": OBJECT("Addresses by name.", additionalProperties={"type": "string"}),
    },
    "One thing that was built, and never changes.",
)
STORED_ARTEFACT = ARTEFACT.but("StoredArtefact", created_at=MOMENT("When it was first named."))
ARTEFACTS = PageShape("ArtefactPage", "artefacts", STORED_ARTEFACT.many())


class ServiceList(ApiView):
    @operation("list_services", TAG, SERVICES)
    def get(self, request: Request, project: str) -> Response:
        """A page of services, in order of their keys."""
        rows = selectors.services_of(project_of(request, project))
        return answer_page(request, SERVICES, rows, by="key")


class ServiceDetail(ApiView):
    @operation("read_service", TAG, ONE_SERVICE)
    def get(self, request: Request, project: str, service: str) -> Response:
        """What a service is called, who owns it, and what is wrong with its metrics."""
        return answer(ONE_SERVICE.dump(service_of(request, project, service)))

    @operation("save_service", TAG, ONE_SERVICE, body=NEW_SERVICE)
    def put(self, request: Request, project: str, service: str) -> Response:
        """Make a service, or give it this name and these owners."""
        own, body = project_of(request, project), NEW_SERVICE.read(request.data)
        if body.get("key", service) != service:
            raise Invalid({"key": _("A service keeps its key: send the one in the address.")})
        stored = services.put_service(
            project=own,
            key=service,
            name=body.get("name", service),
            owners=body.get("owners", []),
            intent=Intent(holder_of(request).actor),
        )
        return answer(ONE_SERVICE.dump(stored))


class SetupDetail(ApiView):
    @operation("read_setup", TAG, SETUP)
    def get(self, request: Request, project: str, service: str, environment: str) -> Response:
        """Its router, deployer, checks and rollback_config; 404 before anybody set it up there."""
        place = environment_of(request, project, environment)
        setup = selectors.setup_of(service_of(request, project, service), place)
        if setup is None:
            raise Http404
        return answer(SETUP.dump(setup), version=setup.version)

    @operation("save_setup", TAG, SETUP, CONFLICT, body=NEW_SETUP, parameters=[MAY_MATCH])
    def put(self, request: Request, project: str, service: str, environment: str) -> Response:
        """Say how a service is released here from its next release on."""
        place = environment_of(request, project, environment)
        stored = services.put_setup(
            service=service_of(request, project, service),
            environment=place,
            document=read_object(request.data),
            expected_version=seen_version(request),
            intent=Intent(holder_of(request).actor),
        )
        return answer(SETUP.dump(stored), version=stored.version)


class ArtefactList(ApiView):
    @operation("list_artefacts", TAG, ARTEFACTS)
    def get(self, request: Request, project: str, service: str) -> Response:
        """A page of artefacts, the newest first. A release names them; they are never changed."""
        rows = selectors.artefacts_of(service_of(request, project, service))
        return answer_page(request, ARTEFACTS, rows, by="-pk")


def service_of(request: Request, project: str, key: str) -> Service:
    return find(selectors.services_of(project_of(request, project)), key=key)
