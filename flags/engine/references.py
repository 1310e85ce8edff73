"""What documents refer to: whoever writes them refuses what leads nowhere or in a circle."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

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
    """Everything that a configuration or a segment refers to."""
    tests = [leaf for one in conditions_in(document) for leaf in leaves(one)]
    asked = [leaf for leaf in tests if isinstance(leaf, FlagTest)]
    wanted = [(one.flag, one.variants) for one in asked]
    groups: set[str] = set()
    if isinstance(document, Configuration):
        wanted += [(one.flag, one.variants) for one in document.prerequisites]
        audiences = (rule.audience for rule in document.rules)
        groups = {one.group for one in audiences if one is not None and one.group is not None}
    return References(
        flags=frozenset(flag for flag, _variants in wanted),
        segments=frozenset(one.segment for one in tests if isinstance(one, SegmentTest)),
        groups=frozenset(groups),
        variants=frozenset((flag, key) for flag, variants in wanted for key in variants),
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
    found = (leaf for one in conditions_in(document) for leaf in leaves(one))
    tests = (one for one in found if isinstance(one, AttributeTest) and one.attribute == NOW)
    instants = (seconds_of(value) for test in tests for value in test.values)
    return frozenset(float(seconds) for seconds in instants if seconds is not None)


def conditions_in(document: Configuration | Segment) -> Iterator[Condition]:
    """Every condition of a document, as it stands there."""
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
    """How many conditions and operations of logic there are, all that might be asked."""
    weight = 1 + sum(map(_weight, conditions_in(document)))
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
    """With their arguments, but not what only stands in lists: that is paid for by who reads it."""
    if isinstance(logic, list):
        return sum(map(_operations, logic))
    if not isinstance(logic, dict):
        return 0
    given = [len(one) for one in logic.values() if isinstance(one, list)]
    return 1 + sum(given) + sum(map(_operations, logic.values()))


def leaves(condition: Condition) -> Iterator[Condition]:
    """What a condition consists of in the end."""
    if isinstance(condition, AllOf | AnyOf):
        for one in condition.conditions:
            yield from leaves(one)
    elif isinstance(condition, Not):
        yield from leaves(condition.condition)
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
