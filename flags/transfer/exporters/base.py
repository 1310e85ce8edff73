"""What exporters are given, and what they say about flags that another format cannot hold."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import yaml

from flags.engine import EnvironmentFlag, Group, Segment
from flags.transfer.importers.base import NotExpressible
from flags.transfer.importers.text import YAML_TYPES


def refuse(reason: str) -> NoReturn:
    raise NotExpressible("", reason)


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


# Documents as text: JSON, and YAML that ``importers.text`` and others read as the same.


try:
    from yaml import CSafeDumper as SafeDumper
except ImportError:  # a PyYAML built without libyaml: the same, slower
    from yaml import SafeDumper  # type: ignore[assignment]

# Texts are not broken into lines: a change of one word is then one changed line.
_WIDTH: Final = 10_000


def to_json(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def to_yaml(document: object) -> str:
    """In blocks, in the order of the document, without references."""
    return yaml.dump(
        document,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=_WIDTH,
    )


SYNTAXES: Final[dict[str, Callable[[object], str]]] = {"json": to_json, "yaml": to_yaml}


class _Dumper(SafeDumper):
    """Quotes what either version of YAML would read as something else than a text."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


for _tag, _pattern, _first in YAML_TYPES:
    _Dumper.add_implicit_resolver(_tag, _pattern, _first)
