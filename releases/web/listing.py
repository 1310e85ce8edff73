import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from django.db.models import BooleanField, ExpressionWrapper, F, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals.freezes import selectors as freezes, services as freeze_services
from portal.approvals.freezes.models import FreezeWindow, InForce
from portal.approvals.freezes.selectors import line_stopped_in
from portal.audit.web.lines import pulse
from portal.lib import clock
from portal.lib.errors import Forbidden
from portal.lib.journal import Intent
from portal.lib.numbers import read_whole
from portal.lib.paging import page_of
from portal.lib.web.live import live_page
from portal.lib.web.pages import TextFilter, governed, paging, query_with, redirect_to
from portal.lib.web.spreadsheets import Value, csv_response
from releases.core import selectors
from releases.core.models import MOVING, OVER, Release, State
from releases.web.release_view import ReleaseView

_RECENT = 10
MOST_IN_LANE = 50
COLUMNS = (
    "number",
    "service",
    "flag",
    "version",
    "digest",
    "from_version",
    "environment",
    "strategy",
    "state",
    "step",
    "steps",
    "share_percent",
    "author",
    "reason",
    "planned_at",
    "started_at",
    "ended_at",
    "outcome",
    "change_request",
)


@dataclass(frozen=True, slots=True)
class ReleaseFilter(TextFilter):
    environment: str = ""
    service: str = ""
    state: str = ""
    person: str = ""
    text: str = ""

    def narrow(self, rows: QuerySet[Release]) -> QuerySet[Release]:
        if self.environment:
            rows = rows.filter(environment__key=self.environment)
        if self.service:
            rows = rows.filter(Q(service__key=self.service) | Q(flag__key=self.service))
        if self.state == "moving":
            rows = rows.filter(state__in=MOVING)
        elif self.state:
            rows = rows.filter(state=self.state)
        if self.person:
            rows = rows.filter(author__icontains=self.person)
        return rows.filter(_says(self.text)) if self.text else rows


def _says(text: str) -> Q:
    names = (
        "reason",
        "artefact__version",
        "service__key",
        "service__name",
        "flag__key",
        "flag__name",
    )
    says = Q()
    for name in names:
        says |= Q(**{f"{name}__icontains": text})
    says |= Q(artefact__digest__startswith=text)
    number = read_whole(text.removeprefix("#"))
    return says if number is None else says | Q(pk=number)


@dataclass(frozen=True, slots=True)
class Lane:
    """An environment of the board: what moves there and then what waits to be started, which is
    not all where it ``is_cut``; and what forbids it."""

    environment: Environment
    views: list[ReleaseView]
    is_cut: bool
    line: FreezeWindow | None
    frozen: list[InForce]


@require_safe
@project_page(Permission.FLAG_VIEW)
def show_board(request: HttpRequest, scope: Scope) -> HttpResponse:
    now = clock.now()
    rows = selectors.releases_seen(scope.project).prefetch_related("executions")
    alive = list(_alive(rows))

    def context() -> dict[str, object]:
        return {
            "scope": scope,
            "tab": "board",
            "lanes": _lanes(scope, alive, now),
            "recent": _views(rows.filter(state__in=OVER).order_by("-ended_at")[:_RECENT], now),
            "live_url": request.path,
            "live_every": "1s" if any(one.is_moving for one in alive) else "2s",
        }

    return live_page(request, "releases/board", beat_of_list(alive, now), context)


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_releases(request: HttpRequest, scope: Scope) -> HttpResponse:
    now, wanted = clock.now(), ReleaseFilter.of(request.GET.dict())
    found = wanted.narrow(selectors.releases_seen(scope.project)).order_by("-pk")
    page = page_of(
        found.prefetch_related("executions"),
        after=request.GET.get("before", ""),
        before=request.GET.get("after", ""),
    )

    def context() -> dict[str, object]:
        return {
            "scope": scope,
            "tab": "list",
            "wanted": wanted,
            "views": _views(page.rows, now),
            "filters": query_with(request.GET, before=None, after=None),
            **paging(request, page, forward="before", back="after"),
            "states": State.choices,
            "environments": scope.environments,
            "services": scope.project.services.all(),
            "live_url": reverse("release-list", args=[scope.project.key]),
        }

    return live_page(request, "releases/releases", beat_of_list(page.rows, now), context)


@require_safe
@project_page(Permission.FLAG_VIEW)
def export_releases(request: HttpRequest, scope: Scope) -> HttpResponse:
    """What the same filters show, all of it, as CSV in UTC; in constant memory."""
    wanted = ReleaseFilter.of(request.GET.dict())
    rows = wanted.narrow(selectors.releases_seen(scope.project)).order_by("-pk")
    return csv_response(
        f"{scope.project.key}-releases", COLUMNS, map(_row, rows.iterator(chunk_size=500))
    )


def board_address(scope: Scope) -> str:
    return reverse("release-board", args=[scope.project.key])


def _views(rows: "QuerySet[Release] | list[Release]", now: datetime) -> list[ReleaseView]:
    return [ReleaseView.of(one, now) for one in rows]


def _alive(rows: QuerySet[Release]) -> QuerySet[Release]:
    """What moves, and then what is planned; of each environment one more than its lane shows."""
    rests = ExpressionWrapper(Q(state=State.PLANNED), output_field=BooleanField())
    number = Window(RowNumber(), partition_by="environment", order_by=[rests, F("pk").desc()])
    found = rows.filter(state__in=(State.PLANNED, *MOVING)).annotate(number=number)
    return found.filter(number__lte=MOST_IN_LANE + 1).order_by("number")


def _lanes(scope: Scope, alive: list[Release], now: datetime) -> list[Lane]:
    places = scope.environments
    frozen = freezes.freezes_in_force(places, now)
    lines = {
        place: one.freeze for one in frozen for place in one.environments if one.freeze.stops_line
    }
    found = []
    for place in reversed(places):
        here = [one for one in alive if one.environment_id == place.pk]
        is_cut = len(here) > MOST_IN_LANE
        views = _views(here[:MOST_IN_LANE], now)
        stops = [one for one in frozen if place in one.environments]
        found.append(Lane(place, views, is_cut, lines.get(place), stops))
    return found


def beat_of_list(rows: list[Release], now: datetime) -> str:
    """Another text whenever a list of these may look different."""
    seen = [
        (one.pk, one.state, one.step, one.told, one.holds, one.entered_at, one.problem)
        for one in rows
    ]
    text = json.dumps(seen, default=str, sort_keys=True)
    return f"{pulse(now)}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _row(one: Release) -> list[Value]:
    share = one.told.get("share")
    return [
        one.pk,
        one.service.key if one.service else "",
        one.flag.key if one.flag else "",
        one.version,
        one.artefact.digest if one.artefact else "",
        one.stable.version if one.stable else "",
        one.environment.key,
        one.plan["strategy"],
        one.state,
        one.step + 1 if one.started_at else 0,
        len(one.parsed_plan.all_steps),
        "" if share is None else f"{share / 1000:g}",
        one.author,
        one.reason,
        one.created_at,
        one.started_at,
        one.ended_at,
        one.outcome,
        one.agreement_id,
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def change_line(request: HttpRequest, scope: Scope, environment: str) -> HttpResponse:
    place = scope.environment(environment)
    line = line_stopped_in(place)
    may = scope.allows(Permission.INCIDENT_MANAGE, place)
    context = {
        "scope": scope,
        "environment": place,
        "line": line,
        "why_not": "" if may else str(Forbidden(Permission.INCIDENT_MANAGE)),
    }

    def save() -> HttpResponse:
        lifts = request.POST.get("lift") == "1"
        change = freeze_services.lift_line if lifts else freeze_services.stop_line
        change(
            environment=place, intent=Intent(scope.actor, request.POST.get("reason", "").strip())
        )
        said = (
            _("Stopped line lifted in {place}.") if lifts else _("The line is stopped in {place}.")
        )
        return redirect_to(request, board_address(scope), said.format(place=place.name))

    return governed(request, "releases/_line_dialog.html", context, save)
