"""``/api/v1/projects/{project}/environments/{environment}/…``: what applications ask for."""

from rest_framework.request import Request
from rest_framework.response import Response

from flags.core.api.scope import configuration_of
from flags.usage import reading
from flags.usage.reading import ASPECTS, SPANS
from portal.access.api.scope import environment_of
from portal.lib import clock
from portal.lib.api.endpoints import answer, choice, listing, page_of, switch
from portal.lib.api.shapes import MOMENT, OBJECT, TEXT, WHOLE, PageShape, Shape
from portal.lib.api.views import ApiView, operation, query

_TAG = "one environment"
COUNTS = Shape(
    "UsageCounts",
    {"start": MOMENT(), "counts": OBJECT("By name.", additionalProperties=WHOLE.schema)},
)
USAGE = Shape(
    "Usage",
    {
        "period": TEXT(),
        "by": TEXT(),
        "total": WHOLE(),
        "last_seen_at": MOMENT(nullable=True),
        "last_served_at": OBJECT("By variant.", additionalProperties=MOMENT.schema),
        "counts": COUNTS.many(),
    },
)
UNKNOWN_FLAG = Shape(
    "UnknownFlag",
    {
        "name": TEXT(),
        "by": TEXT(
            "The kind of keys it is asked with: server or client.",
            of=lambda row: "client" if row.by_client else "server",
        ),
        "count": WHOLE(),
        "first_at": MOMENT(),
        "last_at": MOMENT(),
    },
)
UNKNOWN_FLAGS = PageShape(
    "UnknownFlags",
    "unknown_flags",
    UNKNOWN_FLAG.many(),
    others=WHOLE("Questions for names that are not kept."),
)


class FlagUsageView(ApiView):
    """How often a flag is asked for in an environment."""

    @operation(
        "read_usage",
        _TAG,
        USAGE,
        parameters=[
            query("period", "How far back; a day unless told.", enum=list(SPANS)),
            query("by", "What is told apart; the variant unless told.", enum=list(ASPECTS)),
        ],
    )
    def get(self, request: Request, project: str, environment: str, key: str) -> Response:
        """Counts over time, by variant or by reason, and when each variant was last served.

        The last hour comes by minutes, the last day by hours, the last month by days, all in UTC
        and with zeros. An empty name stands for answers without a value.
        """
        configuration = configuration_of(request, project, environment, key)
        flag, place = configuration.flag, configuration.environment
        period = choice(request, "period", SPANS) or "day"
        aspect = choice(request, "by", ASPECTS) or "variant"
        series = reading.series_of(flag, place, span=SPANS[period], aspect=aspect, now=clock.now())
        seen = reading.last_served(flag, place)
        last = max(seen.values(), default=None)
        document = {
            "period": period,
            "by": aspect,
            "total": series.total,
            "last_seen_at": last and last.isoformat(),
            "last_served_at": {name: at.isoformat() for name, at in sorted(seen.items())},
            "counts": [
                {
                    "start": line.start.isoformat(),
                    "counts": dict(zip(series.names, line.counts, strict=True)),
                }
                for line in series.lines
            ],
        }
        return answer(document)


class UnknownFlags(ApiView):
    """Names that applications ask for in an environment and that no flag has."""

    @operation(
        "list_unknown_flags",
        _TAG,
        UNKNOWN_FLAGS,
        parameters=[query("ignored", "Those that people ignore, instead of the others.", bool)],
    )
    def get(self, request: Request, project: str, environment: str) -> Response:
        """A page of names, the newest first; those beyond 1,100 are counted together."""
        place = environment_of(request, project, environment)
        rows = reading.unknown_flags(place, ignored=switch(request, "ignored"))
        page, following = page_of(request, rows, by="-pk")
        others = reading.other_unknown(place)
        return listing(request, UNKNOWN_FLAGS, page, following, others=others)
