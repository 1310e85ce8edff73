"""What exporters are given, and what they say about flags that another format cannot hold."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from flags.engine import EnvironmentFlag, Group, Segment


class NotExpressible(ValueError):
    """The format cannot say what a flag does. The text is the reason, for people."""


def refuse(reason: str) -> NoReturn:
    """Give up on the flag being written."""
    raise NotExpressible(reason)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A flag that the file does not have, and the reason for it."""

    flag: str
    reason: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """An environment's documents, parsed. What flags refer to and is not here does not exist."""

    flags: Mapping[str, EnvironmentFlag]
    segments: Mapping[str, Segment] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    written: dict[str, Any] = field(default_factory=dict, compare=False)
    """What exporters have made of a segment already: it may be long, and many flags refer to it."""


def in_order(keys: Iterable[str]) -> list[str]:
    """Keys as every export lists them, so that two exports differ only where the flags do."""
    return sorted(keys)
