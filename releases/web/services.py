from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portal.access import selectors as access
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals import selectors as approvals
from portal.audit import history
from portal.audit.filters import Filters
from portal.audit.web.lines import lines
from portal.lib import clock
from portal.lib.journal import Intent
from portal.lib.paging import page_of
from portal.lib.web.pages import asked_places, governed, paging, redirect_to, render_page
from releases.alerts.models import Alert
from releases.alerts.selectors import alerts_firing, is_about
from releases.catalogue import selectors, services
from releases.catalogue.descriptions import setup_changes
from releases.catalogue.models import Artefact, Service, ServiceSetup
from releases.core import selectors as releases
from releases.core.descriptions import metrics_words
from releases.core.models import MOVING, Release, State
from releases.telemetry import reading
from releases.web.release_view import ReleaseView

_RECENT = 10
_HAPPENED = 10


@dataclass(frozen=True, slots=True)
class ServicePlace:
    """A service in one environment: what is out there, by which release, and what moves."""

    environment: Environment
    brought_by: Release | None = None
    moving: ReleaseView | None = None
    setup: ServiceSetup | None = None
    alerts: tuple[Alert, ...] = ()

    @property
    def stable(self) -> Artefact | None:
        return self.brought_by.artefact if self.brought_by else None

    @property
    def sentences(self) -> list[str]:
        """How it is released there; empty where nobody has said."""
        return setup_changes({}, self.setup.document) if self.setup else []


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_services(request: HttpRequest, scope: Scope) -> HttpResponse:
    after, before = asked_places(request)
    found = selectors.services_of(scope.project).order_by("key", "pk")
    text = request.GET.get("text", "").strip()
    if text:
        found = found.filter(key__icontains=text) | found.filter(name__icontains=text)
    page = page_of(found, after=after, before=before)
    places = _places(scope, page.rows)
    now = clock.now()
    context = {
        "scope": scope,
        "rows": [(service, places[service.pk]) for service in page.rows],
        "environments": scope.environments,
        "text": text,
        "why_not": why_not_create(scope),
        "unknown": reading.unknown_services(scope.project, now=now)[:_RECENT],
        **paging(request, page),
    }
    return render_page(request, "releases/services.html", "releases/_services.html", context)


def why_not_create(scope: Scope) -> str:
    """Why the reader may not make or edit a service; empty where they may."""
    for place in scope.environments:
        if scope.allows(Permission.RELEASE_CREATE, place):
            return ""
    return _("This needs the permission “{permission}”. Ask an admin of the project.").format(
        permission=Permission.RELEASE_CREATE.label
    )


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def create_service(request: HttpRequest, scope: Scope) -> HttpResponse:
    return _edit(request, scope, None)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def edit_service(request: HttpRequest, scope: Scope, service: str) -> HttpResponse:
    return _edit(request, scope, find_service(scope, service))


def _edit(request: HttpRequest, scope: Scope, service: Service | None) -> HttpResponse:
    owners = " ".join(service.owners) if service else scope.user.username
    known = (
        {"key": service.key, "name": service.name}
        if service
        else {"key": request.GET.get("key", "")}
    )
    context = {
        "scope": scope,
        "service": service,
        "values": request.POST or {**known, "owners": owners},
        "why_not": why_not_create(scope),
        "people": access.members_of(scope.project),
    }

    def save() -> HttpResponse:
        saved = services.put_service(
            project=scope.project,
            key=service.key if service else request.POST.get("key", "").strip(),
            name=request.POST.get("name", "").strip(),
            owners=request.POST.get("owners", "").replace(",", " ").split(),
            intent=Intent(scope.actor),
        )
        notice = _("Saved {service}.").format(service=saved.name)
        return redirect_to(request, address_of(saved), notice)

    return governed(request, "releases/_service_dialog.html", context, save)


@require_safe
@project_page(Permission.FLAG_VIEW)
def show_service(request: HttpRequest, scope: Scope, service: str) -> HttpResponse:
    found, now = find_service(scope, service), clock.now()
    after, before = asked_places(request)
    artefacts = page_of(selectors.artefacts_of(found).order_by("-pk"), after=after, before=before)
    rows = releases.releases_seen(scope.project).filter(service=found).order_by("-pk")
    about = Filters(project=scope.project.key, kind="service", subject=found.key)
    may_read = Permission.AUDIT_VIEW in scope.permissions
    context = {
        "scope": scope,
        "service": found,
        "places": _places(scope, [found])[found.pk],
        "artefacts": artefacts.rows,
        "recent": [ReleaseView.of(one, now) for one in _drawn(rows)[:_RECENT]],
        "lines": lines(history.page(about, size=_HAPPENED).events if may_read else []),
        "warnings": [metrics_words(one) for one in reading.warnings(found, now=now)],
        "why_not": why_not_create(scope),
        "pending": approvals.open_requests(
            scope.project, subject_kind="service", subject=found.key
        ),
        **paging(request, artefacts),
    }
    return render_page(request, "releases/service.html", "releases/_service.html", context)


def find_service(scope: Scope, key: str) -> Service:
    return get_object_or_404(selectors.services_of(scope.project), key=key)


def address_of(service: Service) -> str:
    return reverse("service", args=[service.project.key, service.key])


def _drawn(rows: Any) -> Any:
    return rows.prefetch_related("executions")


def _places(scope: Scope, found: Sequence[Service]) -> dict[int, list[ServicePlace]]:
    """Each service in each environment, in five queries however many they are."""
    wanted, now = [one.pk for one in found], clock.now()
    rows = releases.releases_seen(scope.project).filter(service__in=wanted)
    moving = {
        (one.service_id, one.environment_id): ReleaseView.of(one, now)
        for one in _drawn(rows.filter(state__in=MOVING))
    }
    setups = {
        (one.service_id, one.environment_id): one
        for one in ServiceSetup.objects.filter(service__in=wanted)
    }
    stable, firing = _stable(wanted), list(alerts_firing(scope.environments, now))
    places: dict[int, list[ServicePlace]] = defaultdict(list)
    for service in found:
        for place in scope.environments:
            at = (service.pk, place.pk)
            here = [one for one in firing if one.environment_id == place.pk]
            alerts = tuple(one for one in here if is_about(one, service.key))
            row = ServicePlace(place, stable.get(at), moving.get(at), setups.get(at), alerts)
            places[service.pk].append(row)
    return places


def _stable(wanted: list[int]) -> dict[tuple[int | None, int], Release]:
    """What succeeded last."""
    rows = (
        Release.objects.filter(service__in=wanted, state=State.SUCCEEDED)
        .order_by("ended_at", "pk")
        .values_list("service_id", "environment_id", "pk")
    )
    last = {(service, place): pk for service, place, pk in rows}
    known = Release.objects.select_related("artefact").in_bulk(last.values())
    return {at: known[pk] for at, pk in last.items()}
