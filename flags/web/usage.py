"""How often a flag is asked for: a chart, and the same numbers as a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from flags.channel import USAGE
from flags.models import Flag, LossCause
from flags.usage import reading
from flags.usage.reading import Series
from flags.web.finding import find_flag
from flags.web.rows import FlagRow
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib import clock
from portal.lib.web.live import page_in_state

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
class Column:
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
    lost = reading.intake_losses(since=series.lines[0].start)
    dropped = lost.get((USAGE.name, LossCause.DROPPED), 0)

    def context() -> dict[str, object]:
        return {
            "scope": scope,
            "flag": flag,
            "row": FlagRow(flag),
            "tab": "usage",
            "environment": environment,
            "environments": scope.project.environments.all(),
            "span": span,
            "spans": SPAN_WORDS,
            "aspect": aspect,
            "aspects": ASPECT_WORDS,
            "series": series,
            "dropped": dropped,
            "columns": _columns(flag, environment, series, aspect),
        }

    state = f"{series.total}-{dropped}-{series.lines[-1].start.timestamp():.0f}"
    return page_in_state(request, ("flags/usage.html", "flags/_usage.html"), state, context)


def _columns(flag: Flag, environment: Environment, series: Series, aspect: str) -> list[Column]:
    last = reading.last_served(flag, environment) if aspect == "variant" else {}
    return [
        Column(name, total, last.get(name), index % COLOURS)
        for index, (name, total) in enumerate(zip(series.names, series.totals, strict=True))
    ]


def _environment(scope: Scope, key: str) -> Environment:
    """The environment asked for; else the last one, where most is at stake. Raises Http404."""
    if key:
        return scope.environment(key)
    last = scope.project.environments.last()
    if last is None:
        raise Http404
    return last


def _one_of(known: Mapping[str, object], wanted: str) -> str:
    if wanted not in known:
        raise Http404(wanted)
    return wanted
