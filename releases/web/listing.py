import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from django.db.models import BooleanField, ExpressionWrapper, F, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _, gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals.freezes import selectors as freezes, services as freeze_services
from portal.approvals.freezes.models import FreezeWindow, InForce
from portal.approvals.freezes.selectors import line_stopped_in
from portal.audit.filters import PERIOD_WORDS
from portal.audit.web.lines import pulse
from portal.lib import clock
from portal.lib.errors import Forbidden, Invalid
from portal.lib.journal import Intent
from portal.lib.paging import page_of
from portal.lib.web.live import live_page
from portal.lib.web.pages import governed, paging, query_with, redirect_to
from portal.lib.web.spreadsheets import csv_response
from releases.core import selectors
from releases.core.deployments import COLUMNS, DeploymentFilter, row_of
from releases.core.models import MOVING, OVER, Release, State
from releases.web.release_view import ReleaseView

_RECENT = 10
MOST_IN_LANE = 50
_OUTCOMES = [
    *((state.value, state.label) for state in OVER),
    ("promoted_early", gettext_lazy("promoted early")),
]


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
    now = clock.now()
    wanted = DeploymentFilter.of(request.GET.dict(), now)
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
            "outcomes": _OUTCOMES,
            "periods": PERIOD_WORDS.items(),
            "environments": scope.environments,
            "production": next((one for one in scope.environments if one.is_production), None),
            "services": scope.project.services.all(),
            "live_url": reverse("release-list", args=[scope.project.key]),
        }

    return live_page(request, "releases/releases", beat_of_list(page.rows, now), context)


@require_safe
@project_page(Permission.FLAG_VIEW)
def export_releases(request: HttpRequest, scope: Scope) -> HttpResponse:
    """What the same filters show, all of it, as CSV in UTC; in constant memory."""
    wanted = DeploymentFilter.of(request.GET.dict(), clock.now())
    if wanted.problems:
        raise Invalid(wanted.problems)
    rows = wanted.narrow(selectors.releases_seen(scope.project)).order_by("-pk")
    return csv_response(
        f"{scope.project.key}-releases", COLUMNS, map(row_of, rows.iterator(chunk_size=500))
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
