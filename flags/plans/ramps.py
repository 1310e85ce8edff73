"""Ramps: which share at which time, and the place in a configuration that they move. Pure.

A ramp moves the share of a rule's audience, or the first share of a split at the cost of the second
one: the shares behind those two stay where they are on the line. The first share lies first, so a
ramp only ever adds users. Shares are whole thousandths of a percent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]
WHOLE = 100_000


@dataclass(frozen=True, slots=True)
class RampStep:
    """A share in thousandths of a percent, and after how many seconds from the start."""

    share: int
    after_s: int


def steps_of(document: Document) -> tuple[RampStep, ...]:
    """The steps of a checked ramp. A linear one rounds down, but its last step is exact."""
    if "linear" not in document:
        return tuple(
            RampStep(round(step["percent"] * 1000), step["after_s"]) for step in document["steps"]
        )
    linear = document["linear"]
    first, last = round(linear["from"] * 1000), round(linear["to"] * 1000)
    number = max(1, linear["duration_s"] // linear["interval_s"])
    ends = [linear["interval_s"] * index for index in range(number)] + [linear["duration_s"]]
    steps = [RampStep(first + (last - first) * i // number, at) for i, at in enumerate(ends)]
    # Where the interval is finer than a thousandth of a percent, some steps would change nothing.
    return tuple(s for i, s in enumerate(steps) if i == 0 or s.share > steps[i - 1].share)


def share_of(configuration: Document, target: Document) -> int | None:
    """The share that a ramp moves, as it is now; None where its place is gone."""
    place = _place(configuration, target)
    if place is None:
        return None
    if target["part"] == "audience":
        audience = place.get("audience")
        return round(audience["percent"] * 1000) if audience else None
    shares = _split(place)
    return shares[0]["weight"] * WHOLE // _total(shares) if shares else None


def with_share(configuration: Document, target: Document, share: int) -> dict[str, Any] | None:
    """The configuration with the share moved; None where there is no room or no place for it."""
    place = _place(configuration, target)
    if place is None or share_of(configuration, target) is None:
        return None
    moved = _moved(place, target, share)
    return _put(configuration, target, moved) if moved else None


def _moved(place: Document, target: Document, share: int) -> dict[str, Any] | None:
    if target["part"] == "audience":
        return {**place, "audience": {**place["audience"], "percent": share / 1000}}
    shares = _split(place)
    weight = share * _total(shares) // WHOLE
    left = shares[0]["weight"] + shares[1]["weight"] - weight
    if left < 0:
        return None
    first, second, *rest = shares
    split = [{**first, "weight": weight}, {**second, "weight": left}, *rest]
    serve = {**_serve(place), "split": split}
    return {**place, "serve": serve} if "serve" in place else serve


def _place(configuration: Document, target: Document) -> dict[str, Any] | None:
    """The rule; or what everyone else is served, where no rule is named."""
    if not target.get("rule"):
        found: dict[str, Any] = configuration["fallthrough"]
        return found
    rules = configuration.get("rules", [])
    return next((rule for rule in rules if rule["id"] == target["rule"]), None)


def _put(configuration: Document, target: Document, moved: dict[str, Any]) -> dict[str, Any]:
    if not target.get("rule"):
        return {**configuration, "fallthrough": moved}
    rules = [moved if rule["id"] == moved["id"] else rule for rule in configuration["rules"]]
    return {**configuration, "rules": rules}


def _serve(place: Document) -> dict[str, Any]:
    return dict(place.get("serve", place))


def _split(place: Document) -> list[dict[str, Any]]:
    shares: list[dict[str, Any]] = _serve(place).get("split", [])
    return shares if len(shares) > 1 and _total(shares) else []


def _total(shares: list[dict[str, Any]]) -> int:
    return sum(share["weight"] for share in shares)
