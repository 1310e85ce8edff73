from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _, gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from flags.core.web.rows import FlagRow, find_flag
from flags.models import Flag, UnknownFlag
from flags.usage import counting, reading
from flags.usage.reading import Series
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib import clock
from portal.lib.journal import Intent
from portal.lib.paging import page_of
from portal.lib.web.live import page_in_state
from portal.lib.web.pages import asked_places, paging, query_with, redirect_to

SPAN_WORDS = {
    "hour": gettext_lazy("Last hour"),
    "day": gettext_lazy("Last day"),
    "month": gettext_lazy("Last month"),
}
ASPECT_WORDS = {
    "variant": gettext_lazy("By variant"),
    "reason": gettext_lazy("By reason"),
}


@dataclass(frozen=True, slots=True)
class ChartSeries:
    """A line of the chart: its name, its sum, and when it was last served, where that is known."""

    name: str
    total: int
    last_at: datetime | None
    colour: int


# As many as the style sheet has; more lines than that share them.
COLOURS = 6


@require_safe
@project_page(Permission.FLAG_VIEW)
def flag_usage(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    """The page; what it shows stands in its address. With ``seen`` 204 when nothing changed."""
    flag = find_flag(scope, key)
    environment = _environment(scope, request.GET.get("environment", ""))
    span = _one_of(SPAN_WORDS, request.GET.get("period", "day"))
    aspect = _one_of(ASPECT_WORDS, request.GET.get("by", "variant"))
    series = reading.series_of(
        flag, environment, span=reading.SPANS[span], aspect=aspect, now=clock.now()
    )
    dropped = reading.counts_dropped(since=series.lines[0].start)

    def context() -> dict[str, object]:
        return {
            "scope": scope,
            "flag": flag,
            "row": FlagRow(flag),
            "tab": "usage",
            "environment": environment,
            "environments": scope.environments,
            "span": span,
            "spans": SPAN_WORDS,
            "aspect": aspect,
            "aspects": ASPECT_WORDS,
            "series": series,
            "dropped": dropped,
            "columns": _columns(flag, environment, series, aspect),
        }

    state = f"{series.total}-{dropped}-{series.lines[-1].start.timestamp():.0f}"
    return page_in_state(
        request, ("flags/core/usage.html", "flags/core/_usage.html"), state, context
    )


def _columns(
    flag: Flag, environment: Environment, series: Series, aspect: str
) -> list[ChartSeries]:
    last = reading.last_served(flag, environment) if aspect == "variant" else {}
    return [
        ChartSeries(name, total, last.get(name), index % COLOURS)
        for index, (name, total) in enumerate(zip(series.names, series.totals, strict=True))
    ]


def _environment(scope: Scope, key: str) -> Environment:
    if key:
        return scope.environment(key)
    if not scope.environments:
        raise Http404
    return scope.environments[-1]


def _one_of(known: Mapping[str, object], wanted: str) -> str:
    if wanted not in known:
        raise Http404(wanted)
    return wanted


# Names that applications ask for and that no flag has: to be created, mended or ignored.


@dataclass(frozen=True, slots=True)
class UnknownFlagRow:
    """A name that was asked for; ``flag`` is the one of that name, hidden or archived."""

    row: UnknownFlag
    flag: Flag | None


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_unknown(request: HttpRequest, scope: Scope, environment: str) -> HttpResponse:
    """The page; with ``seen`` 204 when nothing changed."""
    place = scope.environment(environment)
    ignored = request.GET.get("ignored") == "1"
    rows = reading.unknown_flags(place, ignored=ignored)
    others = reading.other_unknown(place)

    def context() -> dict[str, object]:
        after, before = asked_places(request)
        page = page_of(rows.order_by("-last_at", "pk"), after=after, before=before)
        return {
            "scope": scope,
            "environment": place,
            "environments": scope.environments,
            "ignored": ignored,
            "lines": _lines(place, page.rows),
            "others": others,
            "here": query_with(request.GET),
            **paging(request, page),
        }

    templates = ("flags/core/unknown.html", "flags/core/_unknown.html")
    return page_in_state(request, templates, _state(rows, others), context)


@require_POST
@project_page(Permission.FLAG_EDIT)
def ignore_unknown(request: HttpRequest, scope: Scope, environment: str) -> HttpResponse:
    place, name = scope.environment(environment), request.POST.get("name", "")
    ignored = request.POST.get("watch") != "1"
    counting.ignore_unknown_flag(
        environment=place, name=name, ignored=ignored, intent=Intent(scope.actor)
    )
    text = _("{name} is ignored.") if ignored else _("{name} is no longer ignored.")
    address = reverse("unknown-flag-list", args=[scope.project.key, place.key])
    return redirect_to(request, address, text.format(name=name))


def _state(rows: QuerySet[UnknownFlag], others: int) -> str:
    known = rows.aggregate(names=Count("pk"), asked=Sum("count"))
    return f"{known['names']}-{known['asked'] or 0}-{others}"


def _lines(place: Environment, rows: Iterable[UnknownFlag]) -> list[UnknownFlagRow]:
    """Each name with its flag. One that was created since, and is served, needs nobody any more."""
    found = list(rows)
    names = [row.name for row in found]
    flags = {one.key: one for one in Flag.objects.filter(project=place.project, key__in=names)}
    lines = [UnknownFlagRow(row, flags.get(row.name)) for row in found]
    return [line for line in lines if not _is_served(line)]


def _is_served(line: UnknownFlagRow) -> bool:
    flag = line.flag
    if flag is None or flag.is_archived:
        return False
    return flag.client_visible or not line.row.by_client
