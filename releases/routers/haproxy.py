"""Routing by haproxy's runtime API: by a map, where users are told apart (haproxy_map), or by the
weights of servers (haproxy_weights).

haproxy keeps what it is told until its next reload. What was told is read back at every look; where
another process answers by now, and says what it says by itself, it has forgotten, and is told
again. Any other difference somebody has made, and it stays. Several haproxys have to say the same;
one that does not is named.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType
from typing import Any, Final

from releases.routers import Told, Wanted, haproxy_map, haproxy_weights
from releases.routers.haproxy_socket import Haproxy, HaproxyError, Memory

MOST_KNOWN: Final = 20
Router = Mapping[str, Any]
State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Said:
    """What one haproxy says: its process, what it holds as it stands, and what that means."""

    name: str
    told: Told
    process: str = ""
    raw: str = ""


def routes_users(router: Router) -> bool:
    """Whether it tells users apart; else it deals out requests, whoever they are from."""
    return "map" in router


def is_same_route(one: Router, other: Router) -> bool:
    names = ("kind", "map", "key", "backend")
    return [one.get(name) for name in names] == [other.get(name) for name in names]


def look_first(router: Router, wanted: Wanted) -> tuple[Told, State]:
    """What they say before a release has told them anything, and ``first``, how that stands.

    Where the release goes back before its first step, there is nothing to take back.
    """
    if wanted.back:
        return Told(0), {}
    said = _of_each(router, partial(_ask_one, router, wanted, acts=False))
    return _together(said, wanted), {"first": {one.name: one.raw for one in said if one.raw}}


def before_of(values: State, earlier: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a release keeps of its first look: ``values`` by haproxy; and in ``known`` all that was
    so before the ``earlier`` releases, for that is what a reload brings back."""
    known = (earlier or {}).get("known", {})
    return {
        "values": values,
        "known": {
            name: list(dict.fromkeys([*known.get(name, ()), raw]))[-MOST_KNOWN:]
            for name, raw in values.items()
        },
    }


def ask(
    router: Router, wanted: Wanted, *, acts: bool, state: State, before: Mapping[str, Any]
) -> tuple[Told, State]:
    """What they say, once those that differ were told what is wanted, where that ``acts``; and the
    new state, empty where it is the old one.

    Nothing is raised while one of them is away; on the way back each does what it can.
    """
    memories = _memories(router, state, before)

    def ask_each(*, acts: bool) -> list[_Said]:
        one = partial(_ask_one, router, wanted, acts=acts, memories=memories)
        return _of_each(router, one)

    first = not acts or (len(router["haproxy"]) > 1 and not wanted.back)
    said = ask_each(acts=False) if first else ask_each(acts=True)
    if first and acts and not any(one.told.away for one in said):
        said = ask_each(acts=True)
    kept = dict(state.get("haproxy", {}))
    for one in said:
        if one.told.is_as(wanted):
            kept[one.name] = {"process": one.process, "last": one.raw}
    is_new = kept != state.get("haproxy", {})
    return _together(said, wanted), {"haproxy": kept} if is_new else {}


def _memories(router: Router, state: State, before: Mapping[str, Any]) -> dict[str, Memory]:
    found = {}
    for name in router["haproxy"]:
        value, known = before["values"].get(name, ""), before["known"].get(name, ())
        found[name] = Memory(value, tuple(known), **state.get("haproxy", {}).get(name, {}))
    return found


def _of_each(router: Router, ask_one: Callable[[str], _Said]) -> list[_Said]:
    """All of them at once: one that hangs keeps none of the others waiting."""
    names = router["haproxy"]
    if len(names) == 1:
        return [ask_one(names[0])]
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        return list(pool.map(ask_one, names))


def _ask_one(
    router: Router,
    wanted: Wanted,
    name: str,
    *,
    acts: bool,
    memories: Mapping[str, Memory] = {},
) -> _Said:
    memory, mode = memories.get(name, Memory()), _mode(router)
    haproxy = Haproxy(name)
    try:
        process = haproxy.started()
        reading = mode.read(haproxy, router, wanted, memory)
        told = mode.told(router, wanted, reading)
        if acts and not told.is_back_to(wanted):
            if why := mode.refusal(router, reading):
                return _Said(name, Told(away=f"{name}: {why}"))
            mode.write(haproxy, router, wanted, reading)
            reading = mode.read(haproxy, router, wanted, memory)
            told = mode.told(router, wanted, reading)
    except HaproxyError as error:
        return _Said(name, Told(away=_named(name, error)))
    if told.is_as(wanted):
        return _Said(name, told, process, reading.raw)
    is_lost = memory.process not in ("", process) and reading.raw in memory.known
    words = f"{name}: {mode.words(router, reading)}"
    differs = replace(told, is_lost=is_lost, said=words)
    return _Said(name, differs, process, reading.raw)


def _mode(router: Router) -> ModuleType:
    return haproxy_map if routes_users(router) else haproxy_weights


def _named(name: str, error: HaproxyError) -> str:
    text = str(error).removesuffix(".")
    return text if name in text else f"{name}: {text}"


def _together(said: Sequence[_Said], wanted: Wanted) -> Told:
    """What they say as one. Where they differ, what those say that are not as wanted."""
    away = [one.told.away for one in said if one.told.away]
    if away:
        return Told(away="; ".join(away))
    others = [one.told for one in said if not one.told.is_as(wanted)]
    if not others:
        return said[0].told
    shares = {(one.share, one.cohorts) for one in others}
    share, cohorts = next(iter(shares)) if len(shares) == 1 else (None, ())
    lost, pending = (all(one.is_lost for one in others), any(one.pending for one in others))
    words = "; ".join(one.said for one in others)
    return Told(share, cohorts, is_lost=lost, pending=pending, said=words)
