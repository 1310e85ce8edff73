"""Prometheus, asked: a check's query at an instant, and how often what it asks about is scraped."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from django.conf import settings

from portal.lib import outbound
from releases.engine.checks import Check
from releases.engine.promql import (
    LEAST_WINDOW_S,
    WINDOW,
    Reading,
    failed_to_read,
    fill,
    looks_back_s,
    read_answer,
    uses,
    wanted_labels,
)

_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
_ASKS_TARGETS_S: Final = 2.0


def ask(
    check: Check, names: Mapping[str, str], *, since_s: float, every_s: float | None
) -> Reading:
    """The number that a check's query gives now.

    ``names`` are what its placeholders stand for, ``since_s`` how long its step has lasted: it
    looks back no further. ``every_s`` is what an earlier reading of this step says of the
    exporter; None where there is none yet.
    """
    if uses(check.query, "baseline") and not names["baseline"]:
        return Reading(detail="Nothing was released here before, so there is no baseline.")
    window_s = min(check.window_s, int(since_s))
    query = fill(check.query, names, window_s)
    if every_s is None:
        every_s = scraped_every_s(check, query)
    waits = _too_soon(check, since_s, every_s or 0.0)
    found = Reading(detail=waits) if waits else _query(check, query)
    return replace(found, every_s=every_s)


def _too_soon(check: Check, since_s: float, every_s: float) -> str:
    """Why it is not asked yet; empty where it can be."""
    least_s = max(LEAST_WINDOW_S, looks_back_s(check.query), every_s)
    if uses(check.query, WINDOW):
        least_s = max(least_s, 2 * every_s)  # fewer than two samples have no rate
        if 2 * every_s > check.window_s:
            return (
                f"The window of {check.window_s} s is too short for two scrapes, which come every "
                f"{every_s:g} s: choose a longer one."
            )
    return f"It is first asked {least_s:g} s after its step began." if since_s < least_s else ""


def _query(check: Check, query: str) -> Reading:
    body = urlencode({"query": query, "timeout": f"{check.timeout_s}s"}).encode()
    try:
        answer = outbound.send(
            "POST",
            f"{check.url}/api/v1/query",
            body,
            headers=_FORM,
            networks=settings.OUTBOUND_NETWORKS,
            timeout_s=check.timeout_s,
        )
    except outbound.OutboundError as error:
        return failed_to_read(f"{error}.")
    if len(answer.body) >= outbound.LONGEST_ANSWER:
        return failed_to_read("It gives too many series: put them together, such as by sum().")
    try:
        said = orjson.loads(answer.body)
    except ValueError:
        said = None
    if answer.status != 200 and not isinstance(said, dict):
        return failed_to_read(f"The server answered with status {answer.status}.")
    return read_answer(said, check.aggregate)


def scraped_every_s(check: Check, query: str) -> float | None:
    """How often what a query asks about is scraped, the slowest of it; 0 where the server does not
    say, as those that only store do not; None where it cannot be reached."""
    try:
        answer = outbound.send(
            "GET",
            f"{check.url}/api/v1/targets?state=active",
            networks=settings.OUTBOUND_NETWORKS,
            timeout_s=min(_ASKS_TARGETS_S, check.timeout_s),
        )
        targets = orjson.loads(answer.body)["data"]["activeTargets"]
        wanted = wanted_labels(query)
        return max((_interval_s(one) for one in targets if _fits(one, wanted)), default=0.0)
    except outbound.OutboundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError):
        return 0.0


def _fits(target: Mapping[str, Any], wanted: Mapping[str, set[str]]) -> bool:
    """Whether the labels of a target itself are among those asked for; it may have others."""
    labels = target["labels"]
    return all(labels[name] in values for name, values in wanted.items() if name in labels)


def _interval_s(target: Mapping[str, Any]) -> float:
    return looks_back_s(f"[{target['scrapeInterval']}]")
