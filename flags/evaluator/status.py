"""What the evaluator says about itself: /health, /ready and /metrics."""

import time
from collections.abc import Iterable
from typing import Final

import orjson
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from flags.evaluator.counters import Counters
from flags.evaluator.memory import Memory, Place

STALE_AFTER_S: Final = 3.0


def staleness_s(place: Place) -> float:
    """Seconds since Redis last confirmed what is held."""
    return time.monotonic() - place.confirmed_at


def describe_health(memory: Memory) -> bytes:
    """Always an answer while the process lives; ``status`` is ok, stale or empty."""
    places = sorted(memory.places.items())
    environments = [_describe_place(number, place) for number, place in places]
    stale = any(staleness_s(place) > STALE_AFTER_S for _, place in places)
    return orjson.dumps(
        {
            "status": "empty" if not environments else "stale" if stale else "ok",
            "redis": {"connected": memory.is_connected},
            "environments": environments,
            # The cause alone: details name flags.
            "refused": {
                str(one): trouble.partition(":")[0]
                for one, trouble in sorted(memory.troubles.items())
            },
        }
    )


def _describe_place(environment_id: int, place: Place) -> dict[str, object]:
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
    }


class _EvaluatorCollector(Collector):
    """Turns the counters and the memory into Prometheus' families when it is asked."""

    def __init__(self, memory: Memory, counters: Counters) -> None:
        self._memory, self._counters = memory, counters

    def collect(self) -> Iterable[Metric]:
        yield from self._collect_counters()
        yield GaugeMetricFamily(
            "aviary_evaluator_redis_connected",
            "Whether Redis answered last time.",
            value=float(self._memory.is_connected),
        )
        open_streams = _gauge("streams", "Event streams open.")
        open_streams.add_metric([], self._counters.streams)
        yield open_streams
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
        yield from (requests, evaluations, refused)
        for name, help_text, count in (
            ("reloads", "Full loads of an environment.", counters.reloads),
            ("stream_entries", "Changes applied from the stream.", counters.entries),
            ("redis_failures", "Times that Redis did not answer.", counters.redis_failures),
            ("usage_lost", "Evaluations not told to the portal.", counters.usage_lost),
            ("limited", "Requests beyond the rate of their key.", counters.limited),
            ("events_sent", "Events sent to streams.", counters.events),
            ("streams_cut", "Event streams whose reader took nothing.", counters.streams_cut),
        ):
            yield CounterMetricFamily(f"aviary_evaluator_{name}", help_text, value=count)

    def _collect_environments(self) -> Iterable[Metric]:
        labels = ("project", "environment")
        version = _gauge("environment_version", "Version held.", *labels)
        flags = _gauge("flags", "Flags held.", *labels)
        broken = _gauge("broken_flags", "Flags whose document cannot be evaluated.", *labels)
        stale = _gauge("staleness_seconds", "Since Redis confirmed the version.", *labels)
        for place in self._memory.places.values():
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


class Metrics:
    """Prometheus' text for one evaluator."""

    def __init__(self, memory: Memory, counters: Counters) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_EvaluatorCollector(memory, counters))

    def write(self) -> bytes:
        return generate_latest(self._registry)
