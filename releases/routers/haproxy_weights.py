"""Shares of requests by the weights of a haproxy's servers: of requests, for weights know no users.

A place is a group of servers of one backend; within it they share as their weights stood before the
release. Weights are set one after the other, those that grow first. What people took out (``maint``
or ``drain``) is counted out and left out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _

from releases.engine.steps import WHOLE
from releases.routers import Told, Wanted
from releases.routers.haproxy_servers import MOST_WEIGHT, ServerState, servers
from releases.routers.haproxy_socket import Haproxy, HaproxyError, Memory

MOST_ERROR: Final = WHOLE // 1000
"""How far a share by weights may be from the wanted one: a tenth of a percent of all requests."""
_FULL: Final = 100
Router = Mapping[str, Any]
Weights = dict[str, int]


@dataclass(frozen=True, slots=True)
class WeightReading:
    """The servers of the places as they are. ``before`` are their weights before the release, and
    ``last`` those that it set last in this process of haproxy, where it did."""

    states: dict[str, ServerState]
    before: Weights
    last: Weights

    @property
    def weights(self) -> Weights:
        return {name: one.weight for name, one in self.states.items()}

    @property
    def raw(self) -> str:
        return dump(self.weights)


def dump(weights: Weights) -> str:
    return ",".join(f"{name}={weight}" for name, weight in sorted(weights.items()))


def load(raw: str) -> Weights:
    pairs = (one.rpartition("=") for one in raw.split(",") if one)
    return {name: int(weight) for name, _is, weight in pairs}


def read(haproxy: Haproxy, router: Router, _wanted: Wanted, memory: Memory) -> WeightReading:
    """Raises HaproxyError, where a server is missing too."""
    known = servers(haproxy, router["backend"])
    wanted = [one for group in router["servers"].values() for one in group]
    missing = [one for one in wanted if one not in known]
    if missing:
        text = _("{name} has no server {server} in {backend}.")
        names = {"server": ", ".join(missing), "backend": router["backend"]}
        raise HaproxyError(text.format(name=haproxy.name, **names))
    states = {one: known[one] for one in wanted}
    return WeightReading(states, load(memory.before), load(memory.last))


def target(router: Router, wanted: Wanted, reading: WeightReading) -> Weights:
    """The weights that a release wants of each server. Raises HaproxyError where none will do."""
    new, stable, baseline = (_group(router, reading, one) for one in ("new", "stable", "baseline"))
    if wanted.share in (0, WHOLE):
        found = _of_one_place(router, wanted, reading)
    else:
        slice_ = min(wanted.share, WHOLE - wanted.share) if baseline else 0
        groups = [_serving(one) for one in (new, stable, baseline)]
        shares = (wanted.share, WHOLE - wanted.share - slice_, slice_)
        _require_servers(router, groups, shares)
        found = nearest([_bases(one, reading) for one in groups], shares)
    off = _turned_off(reading, stable) if wanted.back else ()
    return {**found, **dict.fromkeys(off, 0)}


def _group(router: Router, reading: WeightReading, role: str) -> list[ServerState]:
    names = router["servers"].get(router.get(role, ""), ())
    return [reading.states[name] for name in names]


def _serving(group: Iterable[ServerState]) -> list[ServerState]:
    return [one for one in group if one.serves]


def _of_one_place(router: Router, wanted: Wanted, reading: WeightReading) -> Weights:
    on, off = ("new", "stable") if wanted.share else ("stable", "new")
    if wanted.share and not _serving(_group(router, reading, on)):
        raise _none_serves(router[on])
    found = dict.fromkeys((one.name for one in _group(router, reading, off)), 0)
    for one in _group(router, reading, "baseline"):
        found[one.name] = reading.before.get(one.name, 0) if wanted.back else 0
    for one in _group(router, reading, on):
        found[one.name] = reading.before.get(one.name, 0) or one.initial or _FULL
        if on == "stable" and one.name in reading.before:
            found[one.name] = reading.before[one.name]
    return found


def _bases(group: Iterable[ServerState], reading: WeightReading) -> Weights:
    """How the servers of a place share what it gets. One without weight before the release keeps
    out of it, where others of its place had one."""
    states = list(group)
    before = {one.name: reading.before.get(one.name, 0) for one in states}
    if any(before.values()):
        return before
    initial = {one.name: one.initial for one in states}
    return initial if any(initial.values()) else dict.fromkeys(initial, 1)


def _turned_off(reading: WeightReading, stable: Iterable[ServerState]) -> Iterator[str]:
    """Servers whose weight somebody else has set to 0 since we set it."""
    for one in stable:
        if one.weight == 0 and reading.last.get(one.name, 0) > 0:
            yield one.name


def _require_servers(
    router: Router, groups: Sequence[list[ServerState]], shares: Sequence[int]
) -> None:
    for role, group, share in zip(("new", "stable", "baseline"), groups, shares, strict=True):
        if share and not group:
            raise _none_serves(router[role])


def _none_serves(place: str) -> HaproxyError:
    text = _("all servers of {place} are out of service, and stay so until a person readies one")
    return HaproxyError(text.format(place=place))


def nearest(groups: Sequence[Weights], shares: Sequence[int]) -> Weights:
    """Weights from 0 to 256 by which each group gets the share nearest to its own; within a group
    they are as its own weights. Raises HaproxyError where that is too far from it."""
    best: tuple[float, Weights] | None = None
    leading = max(range(len(groups)), key=lambda place: shares[place])
    for top in range(1, MOST_WEIGHT + 1):
        found = [_scaled(one, 0) for one in groups]
        found[leading] = _scaled(groups[leading], top)
        unit = sum(found[leading].values()) / shares[leading]
        for place, group in enumerate(groups):
            if place != leading and shares[place]:
                found[place] = _summing(group, unit * shares[place])
        error = _error(found, shares)
        if best is None or error < best[0] - 1e-9:
            best = (error, {name: one for group in found for name, one in group.items()})
    assert best is not None
    if best[0] > MOST_ERROR:
        text = _("these servers cannot share so finely: {share:g} % is not reached by weights")
        raise HaproxyError(text.format(share=shares[0] / 1000))
    return best[1]


def _scaled(group: Weights, top: float) -> Weights:
    most = max(group.values(), default=1) or 1
    return {name: min(MOST_WEIGHT, round(one * top / most)) for name, one in group.items()}


def _summing(group: Weights, total: float) -> Weights:
    """The weights of a group whose sum is nearest to a total."""
    most, whole = max(group.values()) or 1, sum(group.values()) or 1
    top = total * most / whole
    tries = (_scaled(group, one) for one in (top, int(top), int(top) + 1) if one >= 0)
    return min(tries, key=lambda one: abs(sum(one.values()) - total))


def _error(found: Sequence[Weights], shares: Sequence[int]) -> float:
    sums = [sum(one.values()) for one in found]
    if any(share and not one for one, share in zip(sums, shares, strict=True)):
        return WHOLE  # who is to get something gets nothing
    whole = sum(sums)
    return max(abs(WHOLE * one / whole - share) for one, share in zip(sums, shares, strict=True))


def share_of(router: Router, reading: WeightReading) -> int | None:
    """What part of the requests goes to the new version; None where nothing goes anywhere."""
    serving = _serving(reading.states.values())
    whole = sum(one.weight for one in serving)
    new = sum(one.weight for one in _serving(_group(router, reading, "new")))
    return round(WHOLE * new / whole) if whole else None


def told(router: Router, wanted: Wanted, reading: WeightReading) -> Told:
    """What the weights say. Those that are the nearest to the wanted share are that share."""
    try:
        wants = target(router, wanted, reading)
    except HaproxyError:
        wants = {}
    now = reading.weights
    if wants and all(now[name] == one for name, one in wants.items()):
        return Told(wanted.share, wanted.cohorts)
    share = share_of(router, reading)
    return Told(None if share == wanted.share else share)


def refusal(_router: Router, _reading: WeightReading) -> str:
    return ""


def words(_router: Router, reading: WeightReading) -> str:
    out = [f"{one.name} ({one.admin})" for one in reading.states.values() if not one.serves]
    said = [_("its weights are {weights}").format(weights=reading.raw.replace(",", ", "))]
    if out:
        said.append(_("out of service: {servers}").format(servers=", ".join(out)))
    return "; ".join(said)


def write(haproxy: Haproxy, router: Router, wanted: Wanted, reading: WeightReading) -> None:
    """Set the weights, those that grow first. Raises HaproxyError."""
    now, wants = reading.weights, target(router, wanted, reading)
    changed = [name for name, one in wants.items() if one != now[name]]
    for name in sorted(changed, key=lambda one: wants[one] < now[one]):
        one, whole = wants[name], reading.states[name].initial
        # A static algorithm takes percents of the configured weight, and of those 0 and 100 only.
        weight = "0%" if not one else "100%" if one == whole else str(one)
        haproxy.tell(f"set server {router['backend']}/{name} weight {weight}")
