"""Ramps: which share at which time, and the place in a configuration that they move. Pure.

A ramp moves the share of a rule's audience, or the first share of a split at the cost of the second
one: the shares behind those two stay where they are on the line. The first share lies first, so a
ramp only ever adds users. Shares are whole thousandths of a percent.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.functional import Promise
from django.utils.translation import gettext as _, gettext_lazy

from portal.access.permissions import Permission
from portal.approvals.changes import canonical
from portal.approvals.freezes.recurrence import HORIZON, parse_rule, starts_between
from portal.approvals.freezes.windows import moment_of
from portal.lib.errors import AviaryError

# What a schedule can do to a configuration, as a table. Pure: documents in, documents out.

Document = Mapping[str, Any]


class Halted(AviaryError):
    """A plan cannot go on by itself; ``ends`` where it never can again."""

    status = 409

    def __init__(self, text: str, *, ends: bool = False) -> None:
        super().__init__(text)
        self.ends = ends


@dataclass(frozen=True, slots=True)
class Operation:
    """``carry_out`` makes a configuration of the one there is and the schedule's document."""

    label: str | Promise
    permissions: tuple[Permission, ...]
    carry_out: Callable[[Document, Document], dict[str, Any]]
    turns_off: bool = False


def _turn_on(current: Document, _wish: Document) -> dict[str, Any]:
    return {**current, "enabled": True}


def _turn_off(current: Document, _wish: Document) -> dict[str, Any]:
    return {**current, "enabled": False}


def _set_percent(current: Document, wish: Document) -> dict[str, Any]:
    rules = [dict(rule) for rule in current.get("rules", [])]
    found = next((rule for rule in rules if rule["id"] == wish["rule"]), None)
    if found is None:
        raise Halted(_("The rule {rule} is no longer there.").format(rule=wish["rule"]))
    found["audience"] = {**found.get("audience", {}), "percent": wish["percent"]}
    return {**current, "rules": rules}


def _replace(current: Document, wish: Document) -> dict[str, Any]:
    """A document that does not say whether the flag is on leaves that as it is."""
    return {"enabled": current["enabled"], **wish["configuration"]}


OPERATIONS = {
    "turn_on": Operation(gettext_lazy("Turn on"), (Permission.FLAG_TOGGLE,), _turn_on),
    "turn_off": Operation(
        gettext_lazy("Turn off"), (Permission.FLAG_TOGGLE,), _turn_off, turns_off=True
    ),
    "percent": Operation(
        gettext_lazy("Set the share of a rule"), (Permission.FLAG_EDIT,), _set_percent
    ),
    "replace": Operation(
        gettext_lazy("Replace who gets what"),
        (Permission.FLAG_EDIT, Permission.FLAG_TOGGLE),
        _replace,
    ),
}


def targeting_digest(document: Document) -> str:
    """Who gets what, as a hash: whether the flag is on makes no difference."""
    targeting = {name: document[name] for name in document.keys() - {"enabled", "introduced"}}
    return hashlib.sha256(canonical(targeting).encode("utf-8", "surrogatepass")).hexdigest()


WHOLE = 100_000


@dataclass(frozen=True, slots=True)
class RampStep:
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


# When a schedule happens: instants out of what the clock of a named zone shows. Pure. The time on
# the wall stays across daylight saving. Where the clock is put back, a time comes twice: the first
# of them counts, and the second does not happen again. Where it is put forward, a time never
# comes: then it happens at the moment of the jump, once for all times that fall into it.


# By how much a local time can differ from UTC, and a change of the clock move it.
_SLACK = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Timetable:
    """``starts`` is naive: what the clock shows in ``zone``. ``rrule`` repeats it (see rule_text).

    A rule says when it begins; where it does not fit ``starts``, that is no occurrence. COUNT
    counts from the start on, whatever was missed, and UNTIL is included.
    """

    starts: datetime
    zone: str
    rrule: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Instant:
    at: datetime
    local: datetime


def timetable_of(document: Mapping[str, Any]) -> Timetable:
    starts = datetime.fromisoformat(document["starts"])
    return Timetable(starts, document["zone"], document.get("rrule", ""))


def following(timetable: Timetable, after: datetime, number: int = 1) -> list[Instant]:
    """The next instants later than a moment; fewer where there are no more."""
    return list(islice(_instants(timetable, after), number))


def _instants(timetable: Timetable, after: datetime) -> Iterator[Instant]:
    zone, last = ZoneInfo(timetable.zone), after
    for local in _local(timetable, after.astimezone(UTC).replace(tzinfo=None) - _SLACK):
        at = moment_of(local, zone, fold=0)
        if at > last:
            last = at
            yield Instant(at, local)


def _local(timetable: Timetable, lo: datetime) -> Iterator[datetime]:
    starts = timetable.starts
    if not timetable.rrule:
        return iter([starts])
    rule = parse_rule(timetable.rrule).settled(starts, timetable.zone)
    return starts_between(rule, starts, lo, starts + HORIZON)
