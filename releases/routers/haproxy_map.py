"""Shares of users by one entry of a haproxy's map (docs/haproxy.md has the configuration).

The entry holds all that decides who goes where, so one ``set map`` switches all of it::

    shop green/5000/blue/base/95000/shop-1f2e3d4c

Whose point (a hash of the user's cookie, 0 to 99,999) is below 5000 goes to green, who is from
95,000 on to the baseline, and everyone else to blue; who belongs to a cohort that has an entry
``staff@shop-1f2e3d4c`` goes to green as well. Entries of cohorts are there before the entry that
names them, and go after it. One of them lets in requests that are tagged with the release's token,
where its plan begins with these: ``tester:7.k1Vd3Zr@shop-1f2e3d4c``. Places are
haproxy's backends. ``shop green/0/blue`` is enough where everybody goes to blue.

A seventh field, ``…/shop-1f2e3d4c/3600``, pins whoever is served something else than green to that
for so many seconds. haproxy keeps since when in its table ``shop-pins``; the way back clears it.
"""

import hashlib
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from django.utils.translation import gettext as _

from releases.engine.steps import WHOLE
from releases.routers import Told, Wanted
from releases.routers.haproxy_socket import CommandRefused, Haproxy, HaproxyError, Memory

_FOUND: Final = re.compile(r'type=.*, found=yes, .*value="(.*)", type=".*"\n')
_NOT_FOUND: Final = re.compile(r"type=.*, found=no\n")
_NOBODY: Final = "-"
Router = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """``new`` has the points below ``share``, ``baseline`` those from ``since`` on, ``stable`` what
    is left; ``cohorts`` is the name of a list of cohorts who go to ``new``. Visitors are pinned for
    ``pin_s``."""

    new: str
    share: int
    stable: str
    baseline: str = ""
    since: int = WHOLE
    cohorts: str = _NOBODY
    pin_s: int = 0

    @property
    def value(self) -> str:
        baseline, pin = self.baseline or self.stable, f"/{self.pin_s}" if self.pin_s else ""
        split = f"{self.new}/{self.share}/{self.stable}/{baseline}/{self.since}"
        return f"{split}/{self.cohorts}{pin}"

    @property
    def everyone(self) -> str:
        """The one place to which all go; empty where there are several."""
        if self.cohorts != _NOBODY or self.since < WHOLE:
            return ""
        return {0: self.stable, WHOLE: self.new}.get(self.share, "")

    def reaches(self, place: str) -> bool:
        """Whether anybody goes there."""
        shares = {self.new: self.share > 0 or self.cohorts != _NOBODY}
        shares[self.stable] = shares.get(self.stable) or self.share < WHOLE
        shares[self.baseline] = shares.get(self.baseline) or self.since < WHOLE
        return bool(shares.get(place))


def read_entry(value: str) -> Entry | None:
    """None of what no release writes."""
    new, share, stable, *more = [*value.split("/"), "", ""]
    baseline, since, cohorts, pin = [*more, "", "", "", ""][:4]
    numbers = (share, since or str(WHOLE), pin or "0")
    if not (new and stable) or not all(re.fullmatch(r"\d{1,6}", one) for one in numbers):
        return None
    below, above, pin_s = map(int, numbers)
    if below > WHOLE or above > WHOLE or value.count("/") > 6:
        return None
    return Entry(new, below, stable, baseline or stable, above, cohorts or _NOBODY, pin_s)


def entry_for(router: Router, wanted: Wanted) -> Entry:
    entry = Entry(router["new"], wanted.share, router["stable"], router["stable"])
    entry = replace(entry, pin_s=router.get("pin_s", 0))
    slice_ = min(wanted.share, WHOLE - wanted.share) if router.get("baseline") else 0
    if slice_:
        entry = replace(entry, baseline=router["baseline"], since=WHOLE - slice_)
    listed = _listed(router, wanted)
    if listed:
        entry = replace(entry, cohorts=_list_name(router["key"], listed))
    return entry


def _listed(router: Router, wanted: Wanted) -> tuple[str, ...]:
    """Who goes to the new place whatever the share: cohorts, and tagged requests."""
    tester = router.get("tester") if wanted.share < WHOLE and not wanted.back else ""
    return (*wanted.cohorts, *([f"tester:{tester}"] if tester else ()))


def _list_name(key: str, cohorts: Collection[str]) -> str:
    digest = hashlib.sha256("\n".join(sorted(cohorts)).encode()).hexdigest()
    return f"{key}-{digest[:8]}"


@dataclass(frozen=True, slots=True)
class MapReading:
    """The entry as it stands, and who of those that are to be listed is."""

    raw: str
    listed: tuple[str, ...]

    @property
    def entry(self) -> Entry | None:
        return read_entry(self.raw)


def read(haproxy: Haproxy, router: Router, wanted: Wanted, _memory: Memory) -> MapReading:
    """Raises HaproxyError, where there is no entry too."""
    raw = _get(haproxy, router, router["key"])
    if raw is None:
        text = _("The map {map} of {name} has no entry {key}. Add “{key} {new}/0/{stable}” to it.")
        names = {"map": router["map"], "key": router["key"]}
        places = {"new": router["new"], "stable": router["stable"]}
        raise HaproxyError(text.format(name=haproxy.name, **names, **places))
    wants = _listed(router, wanted)
    name = _list_name(router["key"], wants)
    there = (one for one in wants if _get(haproxy, router, f"{one}@{name}") is not None)
    return MapReading(raw, tuple(there))


def _get(haproxy: Haproxy, router: Router, key: str) -> str | None:
    command = f"get map {router['map']} {key}"
    said = haproxy.read(command)
    found = _FOUND.fullmatch(said)
    if found:
        return found[1]
    if _NOT_FOUND.fullmatch(said):
        return None
    if said.startswith("Unknown map"):
        text = _("{name} knows no map {map}: name it as haproxy's configuration does.")
        raise HaproxyError(text.format(name=haproxy.name, map=router["map"]))
    raise haproxy.wrong(command)


def told(router: Router, wanted: Wanted, reading: MapReading) -> Told:
    """What an entry says of the release. A foreign one by which nobody gets the new version is as
    good as the way back: it is left as it is. One with the wanted share that does not let tagged
    requests in is ``pending``."""
    entry, wants = reading.entry, _listed(router, wanted)
    if entry is None:
        return Told()
    if entry == entry_for(router, wanted) and reading.listed == wants:
        return Told(wanted.share, wanted.cohorts)
    if entry.everyone in (router["new"], router["stable"]):
        share = WHOLE if entry.everyone == router["new"] else 0
        return Told(share, pending=share == wanted.share and wants != wanted.cohorts)
    if wanted.back and not wanted.share and not entry.reaches(router["new"]):
        return Told(0)
    as_ours = entry_for(router, replace(wanted, share=entry.share))
    cohorts = tuple(one for one in reading.listed if one in wanted.cohorts)
    is_whole = reading.listed == wants or entry.share != wanted.share
    return Told(entry.share, cohorts, pending=not is_whole) if entry == as_ours else Told()


def refusal(router: Router, reading: MapReading) -> str:
    """Why an entry is not to be written over: it leads elsewhere, so somebody else wants that."""
    entry = reading.entry
    ours = {router["new"], router["stable"], router.get("baseline") or router["stable"]}
    if entry is not None and {entry.new, entry.stable, entry.baseline} <= ours:
        return ""
    text = _("its entry {key} says {value}, which is not about {places}; set it back first")
    places = ", ".join(sorted(ours))
    return text.format(key=router["key"], value=reading.raw or "-", places=places)


def words(router: Router, reading: MapReading) -> str:
    return _("its entry {key} says {value}").format(key=router["key"], value=reading.raw)


_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:-]+")


def require_plain(cohorts: Collection[str]) -> None:
    """Raise HaproxyError for a cohort that haproxy would take for more than one word."""
    for one in cohorts:
        if not _PLAIN.fullmatch(one):
            text = _("haproxy cannot be told of a segment called {key}. Route it by a flag.")
            raise HaproxyError(text.format(key=one))


def write(haproxy: Haproxy, router: Router, wanted: Wanted, reading: MapReading) -> None:
    """Make the entry so; the way back ends all pins. Raises HaproxyError."""
    require_plain(wanted.cohorts)
    entry, path = entry_for(router, wanted), router["map"]
    if entry.pin_s and not wanted.back:
        _require_table(haproxy, router)
    for one in _listed(router, wanted):
        if one not in reading.listed:
            haproxy.tell(f"add map {path} {one}@{entry.cohorts} new")
    haproxy.tell(f"set map {path} {router['key']} {entry.value}")
    if entry.pin_s and wanted.back:
        _clear_pins(haproxy, router)
    _forget_cohorts(haproxy, router, entry.cohorts)


def _table(router: Router) -> str:
    return f"{router['key']}-pins"


def _require_table(haproxy: Haproxy, router: Router) -> None:
    """Raises HaproxyError where haproxy has no table for those that are to be pinned."""
    if f"# table: {_table(router)}," not in haproxy.read("show table"):
        text = _("{name} has no table {table}, so it pins nobody: add it as the sample does.")
        raise HaproxyError(text.format(name=haproxy.name, table=_table(router)))


def _clear_pins(haproxy: Haproxy, router: Router) -> None:
    """A table that is gone pins nobody; and no pin keeps anybody on the new version."""
    with suppress(CommandRefused):
        haproxy.tell(f"clear table {_table(router)}")


def _forget_cohorts(haproxy: Haproxy, router: Router, kept: str) -> None:
    """Remove what earlier entries have named; a map too long to be shown keeps it."""
    try:
        lines = haproxy.read(f"show map {router['map']}").splitlines()
    except HaproxyError:
        return
    of_ours = re.compile(rf"[^@]+@{re.escape(router['key'])}-[0-9a-f]{{8}}")
    keys = (line.split(" ")[1] for line in lines if line.count(" ") >= 2)
    for key in keys:
        if of_ours.fullmatch(key) and not key.endswith(f"@{kept}"):
            haproxy.tell(f"del map {router['map']} {key}")
