"""What documents refer to, and the checks that a reference leads somewhere and makes no cycle."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from flags.engine.document import (
    NOW,
    AllOf,
    AnyOf,
    AttributeTest,
    ByLogic,
    Condition,
    Configuration,
    Fixed,
    FlagTest,
    LogicTest,
    Not,
    Segment,
    SegmentTest,
    Serve,
    Split,
)
from flags.engine.operators.instants import seconds_of


@dataclass(frozen=True, slots=True)
class References:
    """Keys that a document names: ``variants`` are pairs of a flag and one of its variants."""

    flags: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    variants: frozenset[tuple[str, str]] = frozenset()


def references_of(document: Configuration | Segment) -> References:
    tests = list(leaves_in(document))
    asked = [leaf for leaf in tests if isinstance(leaf, FlagTest)]
    groups: set[str] = set()
    if isinstance(document, Configuration):
        asked += document.prerequisites
        audiences = (rule.audience for rule in document.rules)
        groups = {one.group for one in audiences if one is not None and one.group is not None}
    return References(
        flags=frozenset(one.flag for one in asked),
        segments=frozenset(one.segment for one in tests if isinstance(one, SegmentTest)),
        groups=frozenset(groups),
        variants=frozenset((one.flag, key) for one in asked for key in one.variants),
    )


def variants_of(configuration: Configuration) -> frozenset[str] | None:
    """The variants that a configuration can serve, by key; None where JsonLogic names them."""
    serves = [configuration.fallthrough, *(rule.serve for rule in configuration.rules)]
    if any(isinstance(one, ByLogic) for one in serves):
        return None
    found = {configuration.off_variant, *(target.variant for target in configuration.targets)}
    for one in serves:
        if isinstance(one, Fixed):
            found.add(one.variant)
        elif isinstance(one, Split):
            found |= {share.variant for share in one.shares}
            found |= {override.variant for override in one.overrides}
    return frozenset(found)


def instants_of(document: Configuration | Segment) -> frozenset[float]:
    """The instants, in Unix seconds, at which a test of ``$now`` may come to another result.

    JsonLogic that looks at ``$flagd.timestamp`` may do so at any time, and is not asked.
    """
    tests = (
        one
        for one in leaves_in(document)
        if isinstance(one, AttributeTest) and one.attribute == NOW
    )
    instants = (seconds_of(value) for test in tests for value in test.values)
    return frozenset(float(seconds) for seconds in instants if seconds is not None)


def _conditions_in(document: Configuration | Segment) -> Iterator[Condition]:
    if isinstance(document, Segment):
        yield document.when
        return
    for rule in document.rules:
        yield rule.when
        yield from _overrides(rule.serve)
    yield from _overrides(document.fallthrough)


def _overrides(serve: Serve) -> Iterator[Condition]:
    if isinstance(serve, Split):
        yield from (override.when for override in serve.overrides)


def weight_of(document: Configuration | Segment) -> int:
    weight = 1 + sum(map(_weight, _conditions_in(document)))
    if isinstance(document, Configuration):
        serves = (*(rule.serve for rule in document.rules), document.fallthrough)
        logic = (one.logic.value for one in serves if isinstance(one, ByLogic))
        weight += len(document.prerequisites) + len(document.rules) + sum(map(_operations, logic))
    return weight


def _weight(condition: Condition) -> int:
    if isinstance(condition, AllOf | AnyOf):
        return 1 + sum(map(_weight, condition.conditions))
    if isinstance(condition, Not):
        return 1 + _weight(condition.condition)
    return _operations(condition.logic.value) if isinstance(condition, LogicTest) else 1


def _operations(logic: object) -> int:
    """With their arguments, but not what only stands in lists: reading that is paid for later."""
    if isinstance(logic, list):
        return sum(map(_operations, logic))
    if not isinstance(logic, dict):
        return 0
    given = [len(one) for one in logic.values() if isinstance(one, list)]
    return 1 + sum(given) + sum(map(_operations, logic.values()))


def leaves_in(document: Configuration | Segment) -> Iterator[Condition]:
    return (leaf for one in _conditions_in(document) for leaf in _leaves(one))


def _leaves(condition: Condition) -> Iterator[Condition]:
    if isinstance(condition, AllOf | AnyOf):
        for one in condition.conditions:
            yield from _leaves(one)
    elif isinstance(condition, Not):
        yield from _leaves(condition.condition)
    else:
        yield condition


def find_cycle(start: str, graph: Mapping[str, Iterable[str]]) -> list[str] | None:
    """The way from ``start`` back to it, ``[start, …, start]``; None where there is none.

    ``graph`` tells for each key those it refers to; a key that is not in it refers to nothing.
    """
    came_from: dict[str, str] = {}
    waiting = [start]
    while waiting:
        key = waiting.pop()
        for following in graph.get(key, ()):
            if following == start:
                return [*_way(start, key, came_from), start]
            if following not in came_from:
                came_from[following] = key
                waiting.append(following)
    return None


def _way(start: str, end: str, came_from: Mapping[str, str]) -> list[str]:
    way = [end]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return way[::-1]


def depth_of(start: str, graph: Mapping[str, Iterable[str]], *, most: int) -> int:
    """The longest chain of references from ``start``, itself included; ``most`` + 1 if longer."""
    depth, level = 0, {start}
    while level and depth <= most:
        level = {following for key in level for following in graph.get(key, ())}
        depth += 1
    return depth


# Where a document names another one, with the path there: for messages that say what to mend.


_Document: TypeAlias = Mapping[str, Any]


class Named(StrEnum):
    FLAG = "flag"
    SEGMENT = "segment"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Mention:
    path: str
    kind: Named
    key: str
    variants: tuple[str, ...] = ()


def mentions_in(configuration: _Document) -> Iterator[Mention]:
    for index, one in enumerate(configuration.get("prerequisites", ())):
        yield _of_flag(one, f"prerequisites[{index}]")
    for index, rule in enumerate(configuration.get("rules", ())):
        path = f"rules[{index}]"
        yield from mentions_in_condition(rule.get("when", {}), f"{path}.when")
        group = rule.get("audience", {}).get("group")
        if group is not None:
            yield Mention(f"{path}.audience.group", Named.GROUP, group)
        yield from _in_serve(rule.get("serve", {}), f"{path}.serve")
    yield from _in_serve(configuration.get("fallthrough", {}), "fallthrough")


def _in_serve(serve: _Document, path: str) -> Iterator[Mention]:
    for index, one in enumerate(serve.get("overrides", ())):
        yield from mentions_in_condition(one.get("when", {}), f"{path}.overrides[{index}].when")


def mentions_in_condition(when: _Document, path: str) -> Iterator[Mention]:
    for name in ("all", "any"):
        for index, part in enumerate(when.get(name, ())):
            yield from mentions_in_condition(part, f"{path}.{name}[{index}]")
    if "not" in when:
        yield from mentions_in_condition(when["not"], f"{path}.not")
    elif "segment" in when:
        yield Mention(f"{path}.segment", Named.SEGMENT, when["segment"])
    elif "flag" in when:
        yield _of_flag(when, path)


def _of_flag(one: _Document, path: str) -> Mention:
    return Mention(f"{path}.flag", Named.FLAG, one["flag"], tuple(one["variants"]))
