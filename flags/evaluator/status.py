"""What the evaluator says about itself: /health, /ready and /metrics.

The names of environments are for who shows METRICS_TOKEN or a server key, which sees its own
environment; everybody else gets sums.
"""

import hmac
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, TypeAlias
from urllib.parse import parse_qs

import orjson
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from flags.evaluator import keys
from flags.evaluator.counters import Counters
from flags.evaluator.framing import Headers
from flags.evaluator.memory import CurrentEnvironment, Memory

STALE_AFTER_S: Final = 3.0


def staleness_s(place: CurrentEnvironment) -> float:
    return time.monotonic() - place.confirmed_at


def visible(memory: Memory, headers: Headers, metrics_token: bytes) -> Collection[int] | None:
    """The environments whose names this request may see; None where it proved nothing."""
    token = keys.find_token(headers.get(b"authorization"), headers.get(b"x-api-key"))
    if token and metrics_token and hmac.compare_digest(token, metrics_token):
        return memory.places.keys()
    try:
        place, key = keys.authenticate(memory, token, now=time.time())
    except keys.AccessRefused:
        return None
    return None if key.is_client else (place.state.environment_id,)


def describe_health(memory: Memory, named: Collection[int]) -> bytes:
    """Always an answer while the process lives; ``status`` is ok, degraded, stale or empty.

    It is degraded where Redis cannot be written to, or has an environment that is of no use: then
    changes may exist that do not arrive.
    """
    return orjson.dumps(
        {
            "status": _status(memory),
            "redis": {"connected": memory.is_connected, "writable": memory.is_writable},
            "totals": _totals(memory),
            "environments": [
                _describe_place(number, place, memory.troubles.get(number))
                for number, place in sorted(memory.places.items())
                if number in named
            ],
            # The cause alone: details name flags.
            "refused": {
                str(one): trouble.partition(":")[0]
                for one, trouble in sorted(memory.troubles.items())
            },
        }
    )


def _status(memory: Memory) -> str:
    if not memory.places:
        return "empty"
    if any(staleness_s(place) > STALE_AFTER_S for place in memory.places.values()):
        return "stale"
    is_whole = memory.is_writable and not memory.missing and not memory.troubles
    return "ok" if is_whole else "degraded"


def _totals(memory: Memory) -> dict[str, float]:
    places = memory.places.values()
    return {
        "environments": len(memory.places),
        "not_loaded": len(memory.missing),
        "refused": len(memory.troubles),
        "from_disk": sum(place.from_disk for place in places),
        "flags": sum(len(place.state.flags) for place in places),
        "broken_flags": sum(place.state.broken_flags for place in places),
        "staleness_s": round(max(map(staleness_s, places), default=0.0), 3),
    }


def _describe_place(
    environment_id: int, place: CurrentEnvironment, trouble: str | None
) -> dict[str, object]:
    state = place.state
    return {
        "id": environment_id,
        "project": state.head.project,
        "environment": state.head.environment,
        "epoch": state.epoch,
        "version": state.version,
        "published_at": state.head.published_at,
        "flags": len(state.flags),
        "broken_flags": state.broken_flags,
        "staleness_s": round(staleness_s(place), 3),
        "source": "disk" if place.from_disk else "redis",
        "trouble": trouble,
    }


def answer_ready(
    memory: Memory, query: bytes, named: Collection[int] | None
) -> tuple[int, dict[str, object]]:
    asked = parse_qs(query.decode(errors="replace"))
    project, environment = asked.get("project"), asked.get("environment")
    if project is None and environment is None:
        return (200, {"ready": True}) if memory.is_ready else (503, {"errorDetails": keys.LOADING})
    if project is None or environment is None:
        return 400, {"errorDetails": "name both: /ready?project=P&environment=E"}
    if named is None:
        return 401, {
            "errorDetails": "say who asks: Authorization: Bearer with METRICS_TOKEN or a server key"
        }
    for number in named:
        head = memory.places[number].state.head
        if (head.project, head.environment) == (project[0], environment[0]):
            return 200, {"ready": True, "trouble": memory.troubles.get(number)}
    if memory.is_complete:
        return 404, {"errorDetails": "there is no such environment here"}
    return 503, {"errorDetails": keys.LOADING}


class _EvaluatorCollector(Collector):
    def __init__(self, memory: Memory, counters: Counters, named: Collection[int]) -> None:
        self._memory, self._counters, self._named = memory, counters, named

    def collect(self) -> Iterable[Metric]:
        yield from self._collect_counters()
        totals = _totals(self._memory)
        for name, help_text, value in (
            ("redis_connected", "Whether Redis answered last time.", self._memory.is_connected),
            ("redis_writable", "Whether Redis takes what it is told.", self._memory.is_writable),
            ("streams", "Event streams open.", self._counters.streams),
            ("environments", "Environments served.", totals["environments"]),
            ("environments_not_loaded", "In Redis, not served.", totals["not_loaded"]),
            ("environments_refused", "Whose state in Redis is refused.", totals["refused"]),
            ("environments_from_disk", "Served from a copy on disk.", totals["from_disk"]),
            ("staleness_seconds_max", "Of the stalest environment.", totals["staleness_s"]),
        ):
            yield GaugeMetricFamily(f"aviary_evaluator_{name}", help_text, value=float(value))
        yield from self._collect_intake()
        yield from self._collect_environments()

    def _collect_counters(self) -> Iterable[Metric]:
        counters = self._counters
        requests = [((route, str(status)), n) for (route, status), n in counters.requests.items()]
        refused, outcomes = counters.refused, counters.telemetry.counted
        for name, help_text, labels, counted in (
            ("requests", "Requests answered.", ["route", "status"], requests),
            ("evaluations", "Flags evaluated.", ["reason"], _labelled(counters.all_evaluations())),
            (
                "refused",
                "Refused from Redis: forged, older, incomplete.",
                ["cause"],
                _labelled(refused),
            ),
            ("outcomes", "Outcomes told of by telemetry.", ["result"], _labelled(outcomes)),
        ):
            yield _family(CounterMetricFamily, name, help_text, labels, counted)
        for name, help_text, count in (
            ("reloads", "Full loads of an environment.", counters.reloads),
            ("stream_entries", "Changes applied from the stream.", counters.entries),
            ("redis_failures", "Times that Redis did not answer.", counters.redis_failures),
            ("copies_written", "Copies written to disk.", counters.copies_written),
            ("copies_failed", "Copies not written, or not usable.", counters.copies_failed),
            ("limited", "Requests beyond the rate of their key.", counters.limited),
            ("events_sent", "Events sent to streams.", counters.events),
            ("streams_cut", "Event streams whose reader took nothing.", counters.streams_cut),
        ):
            yield CounterMetricFamily(f"aviary_evaluator_{name}", help_text, value=count)

    def _collect_intake(self) -> Iterable[Metric]:
        queues = [((one.kind.name,), one) for one in self._counters.intake]
        waiting = [(kind, one.count) for kind, one in queues]
        oldest = [(kind, one.oldest_s) for kind, one in queues]
        dropped = [(kind, one.dropped) for kind, one in queues]
        for family, name, help_text, found in (
            (GaugeMetricFamily, "waiting", "Things counted that Redis does not have yet.", waiting),
            (GaugeMetricFamily, "oldest_seconds", "Since the oldest of them.", oldest),
            (CounterMetricFamily, "dropped", "Things the portal never hears of.", dropped),
        ):
            yield _family(family, f"intake_{name}", help_text, ["kind"], found)

    def _collect_environments(self) -> Iterable[Metric]:
        places = [one for number, one in self._memory.places.items() if number in self._named]
        for name, help_text, value in _OF_ENVIRONMENTS:
            heads = ((one, one.state.head) for one in places)
            values = [((head.project, head.environment), value(one)) for one, head in heads]
            yield _family(GaugeMetricFamily, name, help_text, ["project", "environment"], values)
        troubles = self._memory.troubles.items()
        refusing = [((str(one), trouble.partition(":")[0]), 1) for one, trouble in troubles]
        help_text = "Whether what Redis offers is refused."
        yield _family(GaugeMetricFamily, "refusing", help_text, ["id", "cause"], refusing)


_OF_ENVIRONMENTS: Final[tuple[tuple[str, str, Callable[[CurrentEnvironment], float]], ...]] = (
    ("environment_version", "Version held.", lambda one: one.state.version),
    ("flags", "Flags held.", lambda one: len(one.state.flags)),
    (
        "broken_flags",
        "Flags whose document cannot be evaluated.",
        lambda one: one.state.broken_flags,
    ),
    ("staleness_seconds", "Since Redis confirmed the version.", staleness_s),
)


Values: TypeAlias = Sequence[tuple[tuple[str, ...], float]]


def _labelled(counted: Mapping[str, float]) -> Values:
    return [((label,), count) for label, count in counted.items()]


def _family(
    family: type[CounterMetricFamily | GaugeMetricFamily],
    name: str,
    help_text: str,
    labels: list[str],
    values: Values,
) -> Metric:
    found = family(f"aviary_evaluator_{name}", help_text, labels=labels)
    for where, value in values:
        found.add_metric(where, value)
    return found


def write_metrics(memory: Memory, counters: Counters, named: Collection[int]) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_EvaluatorCollector(memory, counters, named))
    return generate_latest(registry)
