"""The rules that were in force a while ago: outcomes are told late, and belong to what was served.

Of each change only what it replaced is kept, for as long as an outcome may be late, and up to a
number of changes and of bytes; beyond that the evaluator says that it does not know.
"""

import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from flags.channel.documents import FLAG_PREFIX, GROUP_PREFIX, SEGMENT_PREFIX
from flags.channel.telemetry import AHEAD_BY_S, LATE_BY_S
from flags.engine import CompiledFlag, CompiledGroup, CompiledSegment, EvaluationState, Steps
from flags.evaluator.contents import FlagItem
from flags.evaluator.memory import Environment, Memory

KEPT_S: Final = LATE_BY_S + AHEAD_BY_S
# Of one environment.
MOST_CHANGES: Final = 1_000
# Of the documents that all that is kept was compiled from, as they were sealed.
MOST_BYTES: Final = 16 * 2**20


class Replaced(NamedTuple):
    """What held until an instant, by field: None for what was not there, or of no use."""

    until: float
    replaced: Mapping[str, Any]
    size: int


@dataclass(slots=True)
class History:
    since: float
    changes: list[Replaced] = field(default_factory=list)
    # From how many changes are left out to the rules of that time.
    made: dict[int, "Rules"] = field(default_factory=dict)

    def forget(self, before: float) -> None:
        count = bisect_right(self.changes, before, key=lambda one: one.until)
        count = max(count, len(self.changes) - MOST_CHANGES)
        self.drop(count)

    def drop(self, count: int) -> None:
        if count > 0:
            self.since = self.changes[count - 1].until
            del self.changes[:count]
            self.made.clear()


@dataclass(frozen=True, slots=True)
class Rules:
    items: Mapping[str, FlagItem]
    flags: Mapping[str, CompiledFlag]
    segments: Mapping[str, CompiledSegment]
    groups: Mapping[str, CompiledGroup]

    def evaluation(self, at: float, steps: Steps) -> EvaluationState:
        """What flags saw of each other then. Raises ByChance where they deal out at random."""
        return EvaluationState(self.flags, self.segments, self.groups, at, _draw_again, steps)


class ByChance(Exception):
    """What was dealt out at random cannot be found out again."""


def _draw_again() -> str:
    raise ByChance


class _Then(dict[str, Any]):
    def __init__(self, replaced: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        super().__init__(replaced)
        self._now = now

    def get(self, key: str, default: Any = None) -> Any:
        return self[key] if key in self else self._now.get(key, default)


class RuleHistory:
    def __init__(self, memory: Memory) -> None:
        self._histories: dict[int, History] = {}
        memory.watchers.append(self._note)

    def rules(self, state: Environment, at: float) -> Rules | None:
        """What held in an environment, whose state is the newest, at an instant (Unix seconds).

        None where that is not known.
        """
        history = self._histories.get(state.environment_id)
        if history is None or at < history.since:
            return None
        left_out = bisect_right(history.changes, at, key=lambda one: one.until)
        rules = history.made.get(left_out)
        if rules is None:
            rules = history.made[left_out] = _rules(state, history.changes[left_out:])
        return rules

    def items(self, state: Environment, key: str) -> Iterator[FlagItem]:
        history = self._histories.get(state.environment_id)
        changes = history.changes if history else ()
        found = [state.flags.get(key)]
        found += [one.replaced.get(FLAG_PREFIX + key) for one in reversed(changes)]
        return (one for one in found if one is not None)

    def _note(self, before: Environment | None, state: Environment) -> None:
        now = time.time()
        if before is None:
            since = min(now, state.head.published_at)
            self._histories[state.environment_id] = History(since)
            return
        history = self._histories[state.environment_id]
        change = _change(before, state, now)
        if change.replaced:
            history.changes.append(change)
        history.made.clear()
        self._bound(now)

    def _bound(self, now: float) -> None:
        for history in self._histories.values():
            history.forget(now - KEPT_S)
        size = sum(one.size for history in self._histories.values() for one in history.changes)
        while size > MOST_BYTES:
            largest = max(
                self._histories.values(), key=lambda one: sum(c.size for c in one.changes)
            )
            size -= largest.changes[0].size
            largest.drop(1)


def _change(before: Environment, state: Environment, now: float) -> Replaced:
    old, new = before.fields, state.fields
    replaced: dict[str, Any] = {}
    size = 0
    for name, held in old.items():
        kept = new.get(name)
        if kept is held or not name.startswith(_KINDS):
            continue
        if kept is None or kept.weight != held.weight:
            replaced[name] = held.content
            size += len(held.sealed)
    replaced |= {name: None for name in new.keys() - old.keys() if name.startswith(_KINDS)}
    return Replaced(now, replaced, size)


_KINDS: Final = (FLAG_PREFIX, SEGMENT_PREFIX, GROUP_PREFIX)


def _rules(state: Environment, changes: list[Replaced]) -> Rules:
    if not changes:
        return Rules(state.flags, state.compiled, state.segments, state.groups)
    replaced: dict[str, Any] = {}
    for change in reversed(changes):
        replaced.update(change.replaced)
    items, segments, groups = (
        {name.removeprefix(kind): one for name, one in replaced.items() if name.startswith(kind)}
        for kind in _KINDS
    )
    compiled = {key: item and item.compiled for key, item in items.items()}
    return Rules(
        _Then(items, state.flags),
        _Then(compiled, state.compiled),
        _Then(segments, state.segments),
        _Then(groups, state.groups),
    )
