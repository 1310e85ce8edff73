"""Checks that ask over the network: a probe's status, a webhook's number."""

import math
import time
from dataclasses import dataclass

import orjson
from django.conf import settings

from portal.lib import outbound
from releases.engine.checks import Check


@dataclass(frozen=True, slots=True)
class Probe:
    """One answer of a probe: whether it was as expected, and what it was."""

    is_good: bool
    detail: str


def probe(check: Check) -> Probe:
    """Ask an address once. One that cannot be reached has failed; it says why."""
    began = time.monotonic()
    try:
        answer = outbound.send(
            "GET", check.url, networks=settings.OUTBOUND_NETWORKS, timeout_s=check.timeout_s
        )
    except outbound.OutboundError as error:
        return Probe(False, str(error))
    took = round(1000 * (time.monotonic() - began))
    is_good = answer.status in check.expected_status
    return Probe(is_good, f"status {answer.status} after {took} ms")


def number_of(check: Check, body: dict[str, object]) -> float | None:
    """The number that a webhook answers with: ``{"value": 1.5}``; None where it gives none."""
    try:
        answer = outbound.post(
            check.url,
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
