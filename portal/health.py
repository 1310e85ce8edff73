"""For load balancers and monitoring: is it alive, can it work, how is it doing.

The names of environments are for who shows METRICS_TOKEN or a server key, which sees its own
environment; everybody else gets sums. Where a request comes from decides nothing.
"""

import contextlib
import hmac
from collections.abc import Iterable

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis import RedisError

from flags.delivery import progress, relay
from flags.delivery.progress import Arrival, Delivery
from flags.usage.reading import DAY, intake_losses
from portal.access.api.scope import key_shown, token_shown
from portal.access.models import Environment, KeyKind
from portal.lib import clock
from releases.core import selectors as deployments
from releases.core.models import Release

Arrivals = list[tuple[Environment, Delivery]]


@require_safe
@login_not_required
def health(request: HttpRequest) -> HttpResponse:
    """200 as long as the process answers; what it depends on is told, not judged.

    ``status`` is ok, behind where an evaluator lacks a change, unknown where nobody can say.
    """
    arrivals = _read_arrivals()
    if arrivals is None:
        return JsonResponse({"status": "unknown", "database": "unavailable"})
    kinds = {one.arrival for _place, one in arrivals}
    named = _named(request, arrivals)
    return JsonResponse(
        {
            "status": _status(kinds),
            "database": "ok",
            "redis": "unavailable" if Arrival.UNKNOWN in kinds else "ok",
            "evaluators": {
                "reporting": len(_reporting(arrivals)),
                "environments_behind": len(_behind(arrivals)),
                "behind_for_s": max((_behind_for_s(one) for _place, one in arrivals), default=0),
            },
            "intake": [
                {"kind": kind, "cause": cause, "lost_last_day": count}
                for (kind, cause), count in intake_losses(since=clock.now() - DAY).items()
            ],
            "environments": [_describe(place, one) for place, one in named],
        }
    )


@require_safe
@login_not_required
def ready(request: HttpRequest) -> HttpResponse:
    """200 when pages can be served, which takes the database; 503 otherwise."""
    state = _database_state()
    return JsonResponse({"database": state}, status=200 if state == "ok" else 503)


@require_safe
@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    text = generate_latest() + _mended()
    arrivals = _read_arrivals()
    if arrivals is not None:
        named = _named(request, arrivals)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Delivered(arrivals, named))
        registry.register(_Deployed([place.pk for place, _one in named]))
        text += generate_latest(registry)
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


class _Delivered(Collector):
    def __init__(self, arrivals: Arrivals, named: Arrivals) -> None:
        self._arrivals, self._named = arrivals, named

    def collect(self) -> Iterable[Metric]:
        arrivals = self._arrivals
        unknown = sum(one.arrival is Arrival.UNKNOWN for _place, one in arrivals)
        waited_s = max((_behind_for_s(one) for _place, one in arrivals), default=0)
        for name, help_text, value in (
            ("evaluators_reporting", "Evaluators that report.", len(_reporting(arrivals))),
            ("environments_behind", "Environments with a change not live.", len(_behind(arrivals))),
            ("environments_unknown", "Environments of which nothing is known.", unknown),
            ("behind_seconds", "Since the oldest change that is not live.", waited_s),
        ):
            yield GaugeMetricFamily(f"aviary_{name}", help_text, value=value)
        labels = ["project", "environment"]
        behind = GaugeMetricFamily(
            "aviary_environment_evaluators_behind", "Evaluators without a change.", labels=labels
        )
        seconds = GaugeMetricFamily(
            "aviary_environment_behind_seconds", "Since such a change.", labels=labels
        )
        for place, one in self._named:
            behind.add_metric([place.project.key, place.key], len(one.behind))
            seconds.add_metric([place.project.key, place.key], _behind_for_s(one))
        yield from (behind, seconds)
        yield _lost()


class _Deployed(Collector):
    """Releases of services, by name in these environments; for who sees none of them sums."""

    def __init__(self, places: list[int]) -> None:
        self._places = places

    def collect(self) -> Iterable[Metric]:
        seen = {"environment__in": self._places} if self._places else {}
        releases = Release.objects.filter(**seen)
        yield from deployments.families(releases, named=bool(seen), now=clock.now())


def _lost() -> Metric:
    lost = GaugeMetricFamily(
        "aviary_intake_lost_last_day", "Never stored of what was sent.", labels=["kind", "cause"]
    )
    for labels, count in intake_losses(since=clock.now() - DAY).items():
        lost.add_metric(labels, count)
    return lost


def _mended() -> bytes:
    """What relays mended in Redis, by keys, which name no environment; nothing where it is away."""
    counter = CounterMetricFamily(
        "aviary_relay_mended", "Keys of Redis deleted or published anew.", labels=["key"]
    )
    with contextlib.suppress(RedisError):
        for name, count in relay.read_mended().items():
            counter.add_metric([name], count)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_One(counter))
    return generate_latest(registry)


class _One(Collector):
    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterable[Metric]:
        yield self._family


def _read_arrivals() -> Arrivals | None:
    try:
        places = list(Environment.objects.select_related("project").order_by("pk"))
        found = progress.read(places)
    except DatabaseError:
        return None
    return [(place, found[place.pk]) for place in places if place.pk in found]


def _named(request: HttpRequest, arrivals: Arrivals) -> Arrivals:
    shown = token_shown(request).encode()
    if settings.METRICS_TOKEN and hmac.compare_digest(shown, settings.METRICS_TOKEN):
        return arrivals
    key = key_shown(request)
    if key is None or key.kind != KeyKind.SERVER:
        return []
    return [(place, one) for place, one in arrivals if place.pk == key.environment_id]


def _status(kinds: set[Arrival]) -> str:
    if Arrival.BEHIND in kinds:
        return "behind"
    return "unknown" if kinds & {Arrival.UNKNOWN, Arrival.SILENT} else "ok"


def _reporting(arrivals: Arrivals) -> set[str]:
    return {report.evaluator for _place, one in arrivals for report in one.live}


def _behind(arrivals: Arrivals) -> Arrivals:
    return [pair for pair in arrivals if pair[1].arrival is Arrival.BEHIND]


def _behind_for_s(one: Delivery) -> float:
    since = one.since() if one.arrival is Arrival.BEHIND else None
    return round((clock.now() - since).total_seconds(), 1) if since else 0.0


def _describe(place: Environment, one: Delivery) -> dict[str, object]:
    return {
        "project": place.project.key,
        "environment": place.key,
        "epoch": one.position[0],
        "version": one.position[1],
        "arrival": one.arrival.value,
        "behind_for_s": _behind_for_s(one),
        "evaluators": [
            {
                "name": report.evaluator,
                "version": report.version,
                "held_for_s": report.held_for_s,
                "behind": report in one.behind,
            }
            for report in one.live
        ],
    }


def _database_state() -> str:
    try:
        connection.ensure_connection()
        Environment.objects.exists()
    except DatabaseError:
        return "unavailable"
    return "ok"
