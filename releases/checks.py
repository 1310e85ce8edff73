"""Checks, measured: what telemetry says of a version, and what is asked over the network."""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import orjson
from django.conf import settings

from flags.channel.telemetry import OTHERS, WIDTH_S
from portal.access.models import Environment
from portal.lib import outbound
from releases.engine.checks import ADDRESS, COMPARING, Check, Kind, Measured, Tally, Verdict
from releases.engine.comparisons import SETTLES, Collected, Compared, NewErrorTypes, Values
from releases.telemetry import comparing as pairs, reading
from releases.telemetry.comparing import Pair
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


def number_of(check: Check, body: dict[str, object], *, address: str = "") -> float | None:
    """The number that a webhook answers with: ``{"value": 1.5}``; None where it gives none."""
    try:
        answer = outbound.post(
            at_address(check.url, address),
            orjson.dumps(body),
            content_type="application/json",
            networks=settings.OUTBOUND_NETWORKS,
            timeout_s=check.timeout_s,
        )
        value = orjson.loads(answer.body)["value"]
    except (outbound.OutboundError, ValueError, TypeError, KeyError):
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None


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
    deployer names one.
    """

    environment: Environment
    about: str
    name: str
    version: str
    whose: Whose = Whose.USERS
    address: str = ""


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
    now = _Moment(subject, since, at, comparing)
    for check in checks:
        if check.kind in COMPARING and comparing is None:
            idle.add(check.key)
        elif check.kind in _READ:
            if not _is_settled(check, states):
                measured[check.key] = _read(check, now)
        elif _is_due(check, since, at, states.get(check.key, {})):
            asked.append(check)
    probes = {}
    for key, answer in _ask_all(asked, subject):
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


def _tally(check: Check, now: _Moment, window_s: int | None = None) -> Tally:
    window = timedelta(seconds=window_s or check.window_s)
    one = now.subject
    return reading.tally(
        one.environment,
        one.about,
        one.name,
        one.version,
        since=max(now.since, now.at - window),
        until=now.at,
        counts_clients=check.counts_clients,
        whose=one.whose,
    )


def _compared(check: Check, now: _Moment) -> Compared:
    """What is new since it was looked at last, added to what the release has collected."""
    assert now.comparing is not None
    read_from, collected = now.comparing.kept.get(check.key, (None, Collected()))
    until = now.at - SETTLES - BUCKET
    since = max(read_from or now.since, now.since)
    pair, strata = now.pair(check), []
    if pair.baseline and until > since:
        if check.kind is Kind.LATENCY_COMPARISON:
            strata = pairs.slow_strata(pair, since, until, check.slower_than_ms)
        else:
            strata = pairs.error_strata(pair, since, until)
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
    tally = _tally(check, now, LOOKS_BACK_S)
    often = {kind: n for kind, n in tally.error_types.items() if n >= check.threshold}
    if often:
        one, hour = now.subject, timedelta(seconds=LOOKS_BACK_S)
        known = pairs.error_types(
            one.environment, one.about, one.name,
            since=now.since - hour, until=now.at, without=one.version,
        )  # fmt: skip
        often = {kind: n for kind, n in often.items() if kind not in known | {OTHERS}}
    return NewErrorTypes(tally.requests, tally.errors, often)


_READ: Mapping[Kind, Callable[[Check, _Moment], Measured]] = {
    Kind.ERROR_RATE: _tally,
    Kind.LATENCY: _tally,
    Kind.ERROR_COMPARISON: _compared,
    Kind.LATENCY_COMPARISON: _compared,
    Kind.VALUE_COMPARISON: _values,
    Kind.NEW_ERROR_TYPES: _new_error_types,
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


def _ask_all(checks: Sequence[Check], subject: Subject) -> list[tuple[str, Probe | float | None]]:
    """The answer of each. Threads of this release alone, so that it waits for no other's."""
    if not checks:
        return []
    with ThreadPoolExecutor(min(len(checks), _AT_ONCE), thread_name_prefix="checks") as pool:
        answers = pool.map(partial(_ask, subject=subject), checks)
        return [(check.key, one) for check, one in zip(checks, answers, strict=True)]


def _ask(check: Check, subject: Subject) -> Probe | float | None:
    names = {"check": check.key, subject.about: subject.name, "version": subject.version}
    body: dict[str, object] = {**names, "environment": subject.environment.key}
    try:
        if check.kind is Kind.HTTP:
            return probe(check, address=subject.address)
        return number_of(check, body, address=subject.address)
    except Exception:
        logger.exception("check %s cannot be measured", check.key)
        return None
