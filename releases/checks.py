"""Checks, measured: what telemetry says of a version, and what is asked over the network."""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import orjson
from django.conf import settings

from flags.channel.telemetry import OTHERS, WIDTH_S
from portal.access.models import Environment
from portal.lib import outbound
from releases import prometheus
from releases.alerts import selectors as alerts
from releases.engine.checks import ADDRESS, Check, Kind, compares
from releases.engine.comparisons import SETTLES, Collected, Compared, NewErrorTypes, Values
from releases.engine.promql import Reading, failed_to_read
from releases.engine.tally import Tally
from releases.engine.verdicts import Measured, Verdict
from releases.telemetry import comparing as pairs, reading
from releases.telemetry.comparing import BucketRow, Pair
from releases.telemetry.reading import Whose


@dataclass(frozen=True, slots=True)
class Probe:
    is_good: bool
    detail: str


def probe(check: Check, *, address: str = "") -> Probe:
    """Ask an address once; ``address`` is that of the place where the version runs. One that cannot
    be reached has failed; it says why."""
    began = time.monotonic()
    try:
        url = at_address(check.url, address)
        answer = outbound.send(
            "GET", url, networks=settings.OUTBOUND_NETWORKS, timeout_s=check.timeout_s
        )
    except outbound.OutboundError as error:
        return Probe(False, str(error))
    took = round(1000 * (time.monotonic() - began))
    is_good = answer.status in check.expected_status
    return Probe(is_good, f"status {answer.status} after {took} ms")


def at_address(url: str, address: str) -> str:
    """The address that a check is asked at. Raises Refused where its place has none."""
    if ADDRESS not in url:
        return url
    if not address:
        raise outbound.Refused("the deployer names no address of its place")
    return url.replace(ADDRESS, address.rstrip("/"))


def number_of(check: Check, body: dict[str, object], *, address: str = "") -> Reading:
    """The number that a webhook answers with: ``{"value": 1.5}``."""
    try:
        answer = outbound.post(
            at_address(check.url, address),
            orjson.dumps(body),
            content_type="application/json",
            networks=settings.OUTBOUND_NETWORKS,
            timeout_s=check.timeout_s,
        )
        value = orjson.loads(answer.body)["value"]
    except outbound.OutboundError as error:
        return failed_to_read(f"{error}.")
    except (ValueError, TypeError, KeyError):
        value = None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        return failed_to_read('The answer has no number: it has to be such as {"value": 1.5}.')
    return Reading(float(value))


logger = logging.getLogger(__name__)
BUCKET = timedelta(seconds=WIDTH_S)
LOOKS_BACK_S = 3600
# So many of a release ask over the network at the same time, in threads that touch no database.
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: one version of a service, or one variant of a flag, in an environment.

    ``whose`` outcomes count: canary cohorts where nobody else has it, and tagged requests where not
    even these do, and nowhere else. ``address`` is that of the place where it runs, where the
    deployer names one; ``began`` when its release did.
    """

    environment: Environment
    about: str
    name: str
    version: str
    whose: Whose = Whose.USERS
    address: str = ""
    began: datetime | None = None

    @property
    def names(self) -> dict[str, str]:
        """What the placeholders in checks stand for."""
        return {
            "service": self.name,
            "version": self.version,
            "environment": self.environment.key,
        }


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured, by the key of the check, and the answers of probes that were asked now.
    A check that is in neither was not due, and says what it said last. Those that are ``idle`` have
    nothing to compare with at this step, and say nothing."""

    measured: Mapping[str, Measured] = field(default_factory=dict)
    probes: Mapping[str, Probe] = field(default_factory=dict)
    idle: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Comparing:
    """What comparisons go by: the ``baseline``'s version, empty where there is none; the attempt at
    a step, ``place``; whether its time is over; each check's part of alpha; and what was collected,
    with where that ends."""

    baseline: str
    place: str
    has_soaked: bool
    alphas: Mapping[str, float]
    kept: Mapping[str, tuple[datetime | None, Collected]]


@dataclass(frozen=True, slots=True)
class _Moment:
    subject: Subject
    since: datetime
    at: datetime
    comparing: Comparing | None
    states: Mapping[str, Any]
    # What several checks look at is read once.
    _tallies: dict[object, Tally] = field(default_factory=dict)
    _rows: dict[object, list[BucketRow]] = field(default_factory=dict)

    def tally(self, window_s: int, counts_clients: bool) -> Tally:
        key, one = (window_s, counts_clients), self.subject
        if key not in self._tallies:
            self._tallies[key] = reading.tally(
                one.environment,
                one.about,
                one.name,
                one.version,
                since=max(self.since, self.at - timedelta(seconds=window_s)),
                until=self.at,
                counts_clients=counts_clients,
                whose=one.whose,
            )
        return self._tallies[key]

    def rows(self, pair: Pair, since: datetime, until: datetime) -> list[BucketRow]:
        key = (since, until, pair.counts_clients)
        if key not in self._rows:
            self._rows[key] = pairs.rows_of(pair, since, until)
        return self._rows[key]

    def pair(self, check: Check) -> Pair:
        one, baseline = self.subject, self.comparing.baseline if self.comparing else ""
        where = (one.environment, one.about, one.name, one.version)
        return Pair(*where, baseline, check.counts_clients)


def measure(
    checks: Sequence[Check],
    subject: Subject,
    *,
    since: datetime,
    at: datetime,
    states: Mapping[str, Any],
    comparing: Comparing | None = None,
) -> Found:
    """What checks say of a subject between its step's start and now; None where one cannot.

    Windows end now; nothing of before ``since`` ever counts. ``states`` is what each said last:
    probes and webhooks are asked again once their period is over. Without ``comparing`` there is
    nobody to compare with.
    """
    measured: dict[str, Measured] = {}
    idle, asked = set[str](), []
    now = _Moment(subject, since, at, comparing, states)
    for check in checks:
        if compares(check) and comparing is None:
            idle.add(check.key)
        elif check.kind in _READ:
            if not _is_settled(check, states):
                measured[check.key] = _read(check, now)
        elif _is_due(check, since, at, states.get(check.key, {})):
            asked.append(check)
    probes = {}
    for key, answer in _ask_all(asked, now):
        if isinstance(answer, Probe):
            probes[key] = answer
        else:
            measured[key] = answer
    return Found(measured, probes, frozenset(idle))


def _read(check: Check, now: _Moment) -> Measured:
    try:
        return _READ[check.kind](check, now)
    except Exception:
        logger.exception("check %s of %s cannot be measured", check.key, now.subject.name)
        return None


def _tally(check: Check, now: _Moment) -> Tally:
    return now.tally(check.window_s, check.counts_clients)


def _compared(check: Check, now: _Moment) -> Compared:
    """What is new since it was looked at last, added to what the release has collected."""
    assert now.comparing is not None
    read_from, collected = now.comparing.kept.get(check.key, (None, Collected()))
    pair = now.pair(check)
    lateness = pairs.lateness_of(pair, now.at)
    width = pairs.width_for(lateness)
    until = pairs.window_of(now.at - SETTLES - max(BUCKET, lateness), width)
    since = max(read_from or now.since, now.since)
    rows = now.rows(pair, since, until) if pair.baseline and until > since else []
    if check.kind is Kind.LATENCY_COMPARISON:
        strata = pairs.slow_strata(pair, rows, check.slower_than_ms, width)
    else:
        strata = pairs.error_strata(pair, rows, width)
    collected.add(now.comparing.place, strata)
    alpha = now.comparing.alphas[check.key]
    return Compared(collected, alpha, max(until, since), read_from)


def _values(check: Check, now: _Moment) -> Values:
    assert now.comparing is not None
    pair, until = now.pair(check), now.at - SETTLES
    found = pairs.value_means(pair, now.since, until, check.window_s) if pair.baseline else ([], [])
    return Values(*found, is_due=now.comparing.has_soaked)


def _new_error_types(check: Check, now: _Moment) -> NewErrorTypes:
    """Those of the step that no other version has had since an hour before it."""
    tally = now.tally(LOOKS_BACK_S, check.counts_clients)
    often = {kind: n for kind, n in tally.error_types.items() if n >= check.threshold}
    if often:
        one, hour = now.subject, timedelta(seconds=LOOKS_BACK_S)
        known = pairs.error_types(
            one.environment, one.about, one.name,
            since=now.since - hour, until=now.at, without=one.version,
        )  # fmt: skip
        often = {kind: n for kind, n in often.items() if kind not in known | {OTHERS}}
    return NewErrorTypes(tally.requests, tally.errors, often)


def _alerts(check: Check, now: _Moment) -> Reading:
    of = now.subject
    return alerts.reading_of(check, of.environment, of.names, began=of.began, at=now.at)


_READ: Mapping[Kind, Callable[[Check, _Moment], Measured]] = {
    Kind.ERROR_RATE: _tally,
    Kind.LATENCY: _tally,
    Kind.ERROR_COMPARISON: _compared,
    Kind.LATENCY_COMPARISON: _compared,
    Kind.VALUE_COMPARISON: _values,
    Kind.NEW_ERROR_TYPES: _new_error_types,
    Kind.ALERTS: _alerts,
}


def _is_settled(check: Check, states: Mapping[str, Any]) -> bool:
    """Whether it is looked at once in a step, and was."""
    once = check.kind is Kind.VALUE_COMPARISON
    return once and states.get(check.key, {}).get("verdict") in (Verdict.PASSED, Verdict.FAILED)


def _is_due(check: Check, since: datetime, at: datetime, state: Mapping[str, Any]) -> bool:
    if at < since + timedelta(seconds=check.initial_delay_s):
        return False
    last = state.get("asked_at")
    return not last or at >= datetime.fromisoformat(last) + timedelta(seconds=check.period_s)


def _ask_all(checks: Sequence[Check], now: _Moment) -> list[tuple[str, Probe | Reading | None]]:
    """The answer of each. Threads of this release alone, so that it waits for no other's."""
    if not checks:
        return []
    with ThreadPoolExecutor(min(len(checks), _AT_ONCE), thread_name_prefix="checks") as pool:
        answers = pool.map(partial(_ask, now=now), checks)
        return [(check.key, one) for check, one in zip(checks, answers, strict=True)]


def _ask(check: Check, now: _Moment) -> Probe | Reading | None:
    try:
        return _ASKED[check.kind](check, now)
    except Exception:
        logger.exception("check %s cannot be measured", check.key)
        return None


def _ask_probe(check: Check, now: _Moment) -> Probe:
    return probe(check, address=now.subject.address)


def _ask_webhook(check: Check, now: _Moment) -> Reading:
    of = now.subject
    names = {"check": check.key, of.about: of.name, "version": of.version}
    body: dict[str, object] = {**names, "environment": of.environment.key}
    return number_of(check, body, address=of.address)


def _ask_prometheus(check: Check, now: _Moment) -> Reading:
    since_s = (now.at - now.since).total_seconds()
    every_s = now.states.get(check.key, {}).get("every_s")
    names = {**now.subject.names, "baseline": now.comparing.baseline if now.comparing else ""}
    return prometheus.ask(check, names, since_s=since_s, every_s=every_s)


_ASKED: Final[dict[Kind, Callable[[Check, _Moment], Probe | Reading]]] = {
    Kind.HTTP: _ask_probe,
    Kind.WEBHOOK: _ask_webhook,
    Kind.PROMETHEUS: _ask_prometheus,
}
