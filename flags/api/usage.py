"""``/api/v1/projects/{project}/environments/{environment}/…``: what applications ask for."""

from collections.abc import Mapping

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from flags.api import schema
from flags.api.scope import configuration_of
from flags.models import UnknownFlag
from flags.usage import reading
from flags.usage.reading import ASPECTS, SPANS, Series
from portal.access.api.scope import environment_of
from portal.lib import clock
from portal.lib.api.pagination import PAGING, listing, page_of
from portal.lib.api.query import switch, text
from portal.lib.api.views import ApiView
from portal.lib.errors import Invalid


class FlagUsage(ApiView):
    """How often a flag is asked for in an environment."""

    asks = {"GET": ("period", "by")}

    @schema.read_usage
    def get(self, request: Request, project: str, environment: str, key: str) -> Response:
        """Counts over time, by variant or by reason, and when each variant was last served.

        The last hour comes by minutes, the last day by hours, the last month by days, all in UTC
        and with zeros. An empty name stands for answers without a value.
        """
        configuration = configuration_of(request, project, environment, key)
        flag, place = configuration.flag, configuration.environment
        period = _one_of(request, "period", tuple(SPANS), "day")
        aspect = _one_of(request, "by", ASPECTS, "variant")
        series = reading.series_of(flag, place, span=SPANS[period], aspect=aspect, now=clock.now())
        seen = reading.last_served(flag, place)
        last = max(seen.values(), default=None)
        return Response(
            {
                "period": period,
                "by": aspect,
                "total": series.total,
                "last_seen_at": last and last.isoformat(),
                "last_served_at": {name: at.isoformat() for name, at in sorted(seen.items())},
                "counts": _counts(series),
            }
        )


class UnknownFlags(ApiView):
    """Names that applications ask for in an environment and that no flag has."""

    asks = {"GET": ("ignored", *PAGING)}

    @schema.list_unknown_flags
    def get(self, request: Request, project: str, environment: str) -> Response:
        """A page of names, the newest first; those beyond 1,100 are counted together."""
        place = environment_of(request, project, environment)
        rows = reading.unknown_flags(place, ignored=switch(request, "ignored"))
        page, following = page_of(request, rows, by="-pk")
        others = reading.other_unknown(place)
        found = list(map(_unknown, page))
        return listing(request, "unknown_flags", found, following, others=others)


def _counts(series: Series) -> list[dict[str, object]]:
    return [
        {
            "start": line.start.isoformat(),
            "counts": dict(zip(series.names, line.counts, strict=True)),
        }
        for line in series.lines
    ]


def _unknown(row: UnknownFlag) -> Mapping[str, object]:
    return {
        "name": row.name,
        "by": "client" if row.by_client else "server",
        "count": row.count,
        "first_at": row.first_at.isoformat(),
        "last_at": row.last_at.isoformat(),
    }


def _one_of(request: Request, name: str, known: tuple[str, ...], default: str) -> str:
    """Raises Invalid, naming the parameter."""
    wanted = text(request, name) or default
    if wanted not in known:
        raise Invalid({name: _("Use one of: {names}.").format(names=", ".join(known))})
    return wanted
