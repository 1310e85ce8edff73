"""Files as people write them: JSON, or YAML as its version 1.2 reads it."""

import re
from typing import Any, Final

import yaml

from flags.transfer.importers.base import FileRefused
from portal.lib import strict_json

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # a PyYAML built without libyaml: the same, slower
    from yaml import SafeLoader  # type: ignore[assignment]

MAX_YAML_NODES: Final = 100_000
"""Reading YAML takes ten times as long as JSON."""
_YAML_SUFFIXES: Final = (".yaml", ".yml")

YAML_TYPES: Final = tuple(
    (f"tag:yaml.org,2002:{name}", re.compile(pattern), list(first))
    for name, pattern, first in (
        ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
        ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
        ("int", r"^[-+]?(?:0|[1-9][0-9]{0,400})$", "-+0123456789"),
        ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
        ("float", r"^[-+]?[0-9]+[eE][-+]?[0-9]+$", "-+0123456789"),
    )
)
"""What a text without quotes is read as: tag, pattern, and the characters that it begins with."""


def read_text(raw: bytes, *, name: str = "") -> object:
    """The document in a file. Raises FileRefused with one sentence.

    It is YAML where its name says so or it does not begin like JSON.
    """
    is_yaml = name.lower().endswith(_YAML_SUFFIXES) or raw.lstrip()[:1] not in (b"{", b"[")
    try:
        return _read_yaml(raw) if is_yaml else strict_json.loads(raw)
    except strict_json.NotStrict as error:
        raise FileRefused(str(error)) from None


def _read_yaml(raw: bytes) -> object:
    try:
        _check_size(raw)
        document = yaml.load(raw, _Loader)  # noqa: S506 - it is a SafeLoader
    except strict_json.NotStrict as error:
        raise FileRefused(str(error)) from None
    except (yaml.YAMLError, ValueError) as error:
        raise FileRefused(f"This is neither JSON nor YAML: {_one_line(error)}") from None
    strict_json.check(document)
    return document


def _check_size(raw: bytes) -> None:
    """libyaml composes by recursion and takes the whole process down with it; parsing does not."""
    depth = nodes = 0
    for event in yaml.parse(raw, SafeLoader):
        nodes += isinstance(event, yaml.NodeEvent)
        if nodes > MAX_YAML_NODES:
            strict_json.refuse_crowds(MAX_YAML_NODES, "write it as JSON")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > strict_json.MAX_DEPTH:
            strict_json.refuse_depth()


def _one_line(error: Exception) -> str:
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not readable"
    mark = getattr(error, "problem_mark", None)
    place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    return f"{problem}{place}."


class _Loader(SafeLoader):
    """Reads true and false as such, but not on, off, yes and no: those name variants here.

    Neither dates nor merges (``<<``) are read, and no name may stand twice in a mapping.
    """

    yaml_implicit_resolvers: dict[str, list[Any]] = {}

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value):
            raise yaml.constructor.ConstructorError(
                None, None, "a name stands twice in one mapping", node.start_mark
            )
        return mapping


for _tag, _pattern, _first in YAML_TYPES:
    _Loader.add_implicit_resolver(_tag, _pattern, _first)
