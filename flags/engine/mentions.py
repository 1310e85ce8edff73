"""Where a document names another one, with the path there: for messages that say what to mend."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

_Document: TypeAlias = Mapping[str, Any]


class Named(StrEnum):
    """What can be named."""

    FLAG = "flag"
    SEGMENT = "segment"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Mention:
    """One place that names a flag (and which of its variants), a segment or an exclusion group."""

    path: str
    kind: Named
    key: str
    variants: tuple[str, ...] = ()


def mentions_in(configuration: _Document) -> Iterator[Mention]:
    """All that a valid configuration names, in the order of the document."""
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
    """All that a valid condition names."""
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
