"""Documents as text: JSON, and YAML that ``importers.text`` and others read as the same."""

import json
from collections.abc import Callable
from typing import Any, Final

import yaml

from flags.importers.text import YAML_TYPES

try:
    from yaml import CSafeDumper as SafeDumper
except ImportError:  # a PyYAML built without libyaml: the same, slower
    from yaml import SafeDumper  # type: ignore[assignment]

_WIDTH: Final = 10_000
"""Texts are not broken into lines: a change of one word is then one changed line."""


def to_json(document: object) -> str:
    """Indented, each value on a line of its own."""
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
