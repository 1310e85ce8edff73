"""Who sends metrics, and which of their series were sent lately: what one of them counts is found
out once, and what changes its mind about how it counts is noticed."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from flags.channel.point_batches import MAX_INSTANCE_CHARS
from flags.channel.points import MetricSource, series_id
from flags.channel.telemetry import MAX_ERROR_TYPE_CHARS, MAX_NAME_CHARS, MAX_VERSION_CHARS
from flags.evaluator.entries import Rejected
from flags.evaluator.memory import CurrentEnvironment
from flags.evaluator.otlp_wire import Attributes, Metric, Value
from flags.evaluator.points import KnownSeries

# Metric by what its numbers are by themselves, in milliseconds; the other is what it was called.
NEW, OLD = "http.server.request.duration", "http.server.duration"
DURATIONS: Final = {NEW: 1000.0, OLD: 1.0}
UNITS: Final = {"s": 1000.0, "ms": 1.0, "us": 1e-3, "ns": 1e-6}
STATUS: Final = ("http.response.status_code", "http.status_code")
ERROR_TYPE: Final = "error.type"
_STATUS: Final = re.compile("[0-9]{1,9}")
# How long a series is remembered that is not sent any more, at least.
REMEMBERED_S: Final = 120.0
MOST_SERIES: Final = 4_000
MOST_SOURCES: Final = 2_000
MOST_HERE: Final = 100_000

NO_SERVICE: Final = "the resource has no service.name: set OTEL_SERVICE_NAME to the service's key"
NO_VERSION: Final = (
    "the resource has no service.version: "
    "set OTEL_RESOURCE_ATTRIBUTES=service.version=… to the version that is released"
)
NO_NAME: Final = "{} must be a text of 1 to {} printable characters"
OTHER_ENVIRONMENT: Final = (
    "the resource is of the environment {!r}, and this key of {!r}: use a key of its environment"
)
TOO_MANY_SERIES: Final = f"one instance has at most {MOST_SERIES} series of requests"
TOO_MANY_SOURCES: Final = f"an environment has at most {MOST_SOURCES} instances that send metrics"
TOO_MANY: Final = f"an evaluator knows at most {MOST_HERE} series: send this to another"
MIXED: Final = "the series was sent as {} before: it cannot be both"
NO_UNIT: Final = "the unit of {} must be one of s, ms, us and ns"


def check_environment(place: CurrentEnvironment, resource: Attributes) -> None:
    """Raises Rejected where a resource says that it is of another environment."""
    told = resource.get("deployment.environment.name", resource.get("deployment.environment"))
    own = place.state.head.environment
    if told is not None and str(told).lower() != own.lower():
        raise Rejected(OTHER_ENVIRONMENT.format(str(told)[:100], own))


def source_of(place: CurrentEnvironment, resource: Attributes) -> MetricSource:
    """Raises Rejected where a resource is of no version that could be released here."""
    check_environment(place, resource)
    service = resource.get("service.name")
    if service is None or str(service).startswith("unknown_service"):
        raise Rejected(NO_SERVICE)
    if resource.get("service.version") in (None, ""):
        raise Rejected(NO_VERSION)
    instance = resource.get("service.instance.id")
    return MetricSource(
        place.state.environment_id,
        _text(service, "service.name", MAX_NAME_CHARS),
        _text(resource["service.version"], "service.version", MAX_VERSION_CHARS),
        _text(instance, "service.instance.id", MAX_INSTANCE_CHARS) if instance else "",
    )


def _text(value: Value, name: str, most: int) -> str:
    text = str(value)
    if not 0 < len(text) <= most or not text.isprintable():
        raise Rejected(NO_NAME.format(name, most))
    return text


def unit_of(metric: Metric) -> float:
    """How many milliseconds one is. Raises Rejected."""
    unit = UNITS.get(metric.unit, 0.0 if metric.unit else DURATIONS[metric.name])
    if not unit:
        raise Rejected(NO_UNIT.format(metric.name))
    return unit


def error_of(attributes: Mapping[str, Value]) -> tuple[bool, str]:
    """Whether such requests failed, and of which type the error is.

    A server failed where its status is 500 or above, or where it names an error and has no status.
    """
    told = next((attributes[one] for one in STATUS if one in attributes), None)
    kind = attributes.get(ERROR_TYPE)
    text = str(kind)[:MAX_ERROR_TYPE_CHARS] if kind not in (None, "") else ""
    if _STATUS.fullmatch(str(told)):
        is_error = int(str(told)) >= 500
        text = text or str(told)
    else:
        is_error = bool(text)
    return is_error, text if is_error and text.isprintable() else ""


SeriesOf = dict[tuple[tuple[str, str], str], dict[bytes, KnownSeries]]


@dataclass(slots=True)
class KnownSource:
    """Its series are by scope and name of the metric, and by what stands for their attributes."""

    environment_id: int
    since: float
    seen_at: float
    series: SeriesOf = field(default_factory=dict)
    older: SeriesOf = field(default_factory=dict)
    size: int = 0
    # When it last sent the metric under its new name: what it sends under the old one is the same.
    new_at: float = float("-inf")


@dataclass(slots=True)
class KnownSources:
    """Of this process alone, and for some minutes."""

    sources: dict[MetricSource, KnownSource] = field(default_factory=dict)
    count_of: Counter[int] = field(default_factory=Counter)
    size: int = 0
    tidied_at: float = float("-inf")

    def find(self, source: MetricSource, now: float) -> KnownSource:
        """``now`` is monotonic. Raises Rejected where there are too many."""
        known = self.sources.get(source)
        if known is None:
            self._make_room(source.environment_id, now)
            known = self.sources[source] = KnownSource(source.environment_id, now, now)
            self.count_of[source.environment_id] += 1
        if now - known.since > REMEMBERED_S:
            known.older, known.series, known.since = known.series, {}, now
            size = sum(len(one) for one in known.older.values())
            self.size += size - known.size
            known.size = size
        known.seen_at = now
        return known

    def _make_room(self, environment_id: int, now: float) -> None:
        if self.count_of[environment_id] >= MOST_SOURCES or self.size >= MOST_HERE:
            self._tidy(now)
        if self.count_of[environment_id] >= MOST_SOURCES:
            raise Rejected(TOO_MANY_SOURCES)

    def _tidy(self, now: float) -> None:
        """Forget who sends nothing any more; not for each that finds no room."""
        if now - self.tidied_at < 1:
            return
        self.tidied_at = now
        for source, one in list(self.sources.items()):
            if now - one.seen_at > REMEMBERED_S:
                del self.sources[source]
                self.count_of[one.environment_id] -= 1
                self.size -= one.size

    def learn(
        self, known: KnownSource, metric: Metric, identity: bytes, attributes: Attributes
    ) -> KnownSeries:
        """What is known of a series that was not sent lately. Raises Rejected where there are too
        many."""
        about = metric.owner.scope, metric.name
        found = known.older.get(about, {}).pop(identity, None)
        if found is None:
            if known.size >= MOST_SERIES:
                raise Rejected(TOO_MANY_SERIES)
            if self.size >= MOST_HERE:
                self._tidy(known.seen_at)
                raise Rejected(TOO_MANY)
            name = series_id(*metric.owner.scope, metric.name, sorted(attributes.items()))
            found = KnownSeries(name, *error_of(attributes), metric.temporality)
            self.size += 1
            known.size += 1
        known.series.setdefault(about, {})[identity] = found
        return found
