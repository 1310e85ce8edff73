"""Checks, measured: what telemetry says of a version, and what is asked over the network."""

import logging
import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import orjson
from django.conf import settings

from portal.access.models import Environment
from portal.lib import outbound
from releases.engine.checks import ADDRESS, Check, Kind, Probes, Tally
from releases.telemetry import reading


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
Measured = Tally | Probes | float | None
# So many of a release ask over the network at the same time, in threads that touch no database.
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: one version of a service, or one variant of a flag, in an environment.

    Canary cohorts count where nobody else has it, ``of_cohorts``, and nowhere else. ``address`` is
    that of the place where it runs, where the deployer names one.
    """

    environment: Environment
    about: str
    name: str
    version: str
    of_cohorts: bool = False
    address: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured, by the key of the check, and the answers of probes that were asked now.
    A check that is in neither was not due, and says what it said last."""

    measured: Mapping[str, Measured] = field(default_factory=dict)
    probes: Mapping[str, Probe] = field(default_factory=dict)


def measure(
    checks: Sequence[Check],
    subject: Subject,
    *,
    since: datetime,
    at: datetime,
    states: Mapping[str, Any],
) -> Found:
    """What checks say of a subject between its step's start and now; None where one cannot.

    Windows end now; nothing of before ``since`` ever counts. ``states`` is what each said last:
    probes and webhooks are asked again once their period is over.
    """
    measured: dict[str, Measured] = {}
    asked = []
    for check in checks:
        if check.kind in (Kind.ERROR_RATE, Kind.LATENCY):
            measured[check.key] = _told(check, subject, since, at)
        elif _is_due(check, since, at, states.get(check.key, {})):
            asked.append(check)
    probes = {}
    for key, answer in _ask_all(asked, subject):
        if isinstance(answer, Probe):
            probes[key] = answer
        else:
            measured[key] = answer
    return Found(measured, probes)


def _told(check: Check, subject: Subject, since: datetime, at: datetime) -> Tally | None:
    began = max(since, at - timedelta(seconds=check.window_s))
    try:
        return reading.tally(
            subject.environment,
            subject.about,
            subject.name,
            subject.version,
            since=began,
            until=at,
            counts_clients=check.counts_clients,
            of_cohorts=subject.of_cohorts,
        )
    except Exception:
        logger.exception("check %s of %s cannot be measured", check.key, subject.name)
        return None


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
