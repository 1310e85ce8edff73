"""What the evaluator says about itself: /health, /ready and /metrics.

The names of environments are for who shows METRICS_TOKEN or a server key, which sees its own
environment; everybody else gets sums.
"""

import hmac
import time
from collections.abc import Collection, Iterable
from typing import Final
from urllib.parse import parse_qs

import orjson
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from flags.evaluator import keys
from flags.evaluator.counters import Counters
from flags.evaluator.framing import Headers
from flags.evaluator.keys import AccessRefused
from flags.evaluator.memory import CurrentEnvironment, Memory

STALE_AFTER_S: Final = 3.0
PROVE: Final = "say who asks: Authorization: Bearer with METRICS_TOKEN or a server key"
BOTH: Final = "name both: /ready?project=P&environment=E"
NO_SUCH: Final = "there is no such environment here"


def staleness_s(place: CurrentEnvironment) -> float:
    return time.monotonic() - place.confirmed_at


def visible(memory: Memory, headers: Headers, metrics_token: bytes) -> Collection[int] | None:
    """The environments whose names this request may see; None where it proved nothing."""
    token = keys.find_token(headers.get(b"authorization"), headers.get(b"x-api-key"))
    if token and metrics_token and hmac.compare_digest(token, metrics_token):
        return memory.places.keys()
    try:
        place, key = keys.authenticate(memory, token, now=time.time())
    except AccessRefused:
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
    """Whether requests can be answered; with ``?project=P&environment=E`` those of one."""
    asked = parse_qs(query.decode(errors="replace"))
    project, environment = asked.get("project"), asked.get("environment")
    if project is None and environment is None:
        return (200, {"ready": True}) if memory.is_ready else (503, {"errorDetails": keys.LOADING})
    if project is None or environment is None:
        return 400, {"errorDetails": BOTH}
    if named is None:
        return 401, {"errorDetails": PROVE}
    for number in named:
        head = memory.places[number].state.head
        if (head.project, head.environment) == (project[0], environment[0]):
            return 200, {"ready": True, "trouble": memory.troubles.get(number)}
    if memory.is_complete:
        return 404, {"errorDetails": NO_SUCH}
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
        requests = _counter("requests", "Requests answered.", "route", "status")
        for (route, status), count in counters.requests.items():
            requests.add_metric([route, str(status)], count)
        evaluations = _counter("evaluations", "Flags evaluated.", "reason")
        for reason, count in counters.all_evaluations().items():
            evaluations.add_metric([reason], count)
        refused = _counter("refused", "Refused from Redis: forged, older, incomplete.", "cause")
        for cause, count in counters.refused.items():
            refused.add_metric([cause], count)
        outcomes = _counter("outcomes", "Outcomes told of by telemetry.", "result")
        for result, count in counters.telemetry.counted.items():
            outcomes.add_metric([result], count)
        yield from (requests, evaluations, refused, outcomes)
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
        waiting = _gauge("intake_waiting", "Things counted that Redis does not have yet.", "kind")
        oldest = _gauge("intake_oldest_seconds", "Since the oldest of them.", "kind")
        dropped = _counter("intake_dropped", "Things the portal never hears of.", "kind")
        for queue in self._counters.intake:
            waiting.add_metric([queue.kind.name], queue.count)
            oldest.add_metric([queue.kind.name], queue.oldest_s)
            dropped.add_metric([queue.kind.name], queue.dropped)
        yield from (waiting, oldest, dropped)

    def _collect_environments(self) -> Iterable[Metric]:
        labels = ("project", "environment")
        version = _gauge("environment_version", "Version held.", *labels)
        flags = _gauge("flags", "Flags held.", *labels)
        broken = _gauge("broken_flags", "Flags whose document cannot be evaluated.", *labels)
        stale = _gauge("staleness_seconds", "Since Redis confirmed the version.", *labels)
        for number, place in self._memory.places.items():
            if number not in self._named:
                continue
            state = place.state
            where = [state.head.project, state.head.environment]
            version.add_metric(where, state.version)
            flags.add_metric(where, len(state.flags))
            broken.add_metric(where, state.broken_flags)
            stale.add_metric(where, staleness_s(place))
        yield from (version, flags, broken, stale)
        refusing = _gauge("refusing", "Whether what Redis offers is refused.", "id", "cause")
        for one, trouble in self._memory.troubles.items():
            refusing.add_metric([str(one), trouble.partition(":")[0]], 1)
        yield refusing


def _counter(name: str, help_text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"aviary_evaluator_{name}", help_text, labels=labels)


def _gauge(name: str, help_text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"aviary_evaluator_{name}", help_text, labels=labels)


def write_metrics(memory: Memory, counters: Counters, named: Collection[int]) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_EvaluatorCollector(memory, counters, named))
    return generate_latest(registry)
