from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from flags.engine.document import (
    NOW,
    RANDOM,
    TARGETING_KEY,
    AttributeTest,
    Audience,
    ByLogic,
    Configuration,
    Group,
    LogicTest,
    Segment,
    Serve,
    Split,
)
from flags.engine.references import leaves_in
from flags.engine.results import Context

# Stands for the context as a whole, which logic may read, or for a name that it makes up.
EVERYTHING: Final = ""
_OURS: Final = ("$flagd", NOW, RANDOM)
_ITERATING: Final = frozenset({"map", "filter", "reduce", "all", "none", "some"})


def attributes_of(document: Configuration | Segment | Group) -> frozenset[str]:
    """The paths of the attributes that a document itself reads, those of units included."""
    found = set(_read_by(document))
    return frozenset(path for path in found if path.split(".")[0] not in _OURS)


def units_of(document: Configuration | Segment | Group) -> frozenset[str]:
    """Those of them that say who it is: what is dealt by bucket, or listed by key."""
    return frozenset(_units(document)) - {RANDOM}


def minimised(context: Context, attributes: Iterable[str]) -> dict[str, object]:
    """A context with these attributes alone: what reads no others sees no difference."""
    kept: dict[str, object] = {}
    for path in sorted(attributes):
        if path in context:
            kept[path] = context[path]
        if "." in path:
            _keep_nested(context, path.split("."), kept)
    return kept


def _keep_nested(context: Context, steps: list[str], kept: dict[str, object]) -> None:
    source: object = context
    for step in steps[:-1]:
        if not isinstance(source, Mapping) or step not in source:
            return
        source = source[step]
        if not isinstance(source, Mapping):
            kept[step] = source
            return
        inside = kept.setdefault(step, {})
        if inside is source or not isinstance(inside, dict):
            return  # all of it is kept already
        kept = inside
    if isinstance(source, Mapping) and steps[-1] in source:
        kept[steps[-1]] = source[steps[-1]]


def _read_by(document: Configuration | Segment | Group) -> Iterator[str]:
    yield from _units(document)
    if isinstance(document, Group):
        return
    for leaf in leaves_in(document):
        if isinstance(leaf, AttributeTest):
            yield leaf.attribute
        elif isinstance(leaf, LogicTest):
            yield from _in_logic(leaf.logic.value)
    if isinstance(document, Configuration):
        for one in (one.logic for one in _serves(document) if isinstance(one, ByLogic)):
            yield from _in_logic(one.value)


def _units(document: Configuration | Segment | Group) -> Iterator[str]:
    if isinstance(document, Group):
        yield document.bucket_by
    elif isinstance(document, Segment):
        if document.included or document.excluded:
            yield document.keyed_by
    else:
        yield from _units_of_flag(document)


def _units_of_flag(configuration: Configuration) -> Iterator[str]:
    if configuration.targets:
        yield TARGETING_KEY
    audiences = (rule.audience for rule in configuration.rules)
    for one in (*_serves(configuration), *audiences):
        if isinstance(one, Split | Audience):
            yield from (one.bucket_by, *one.else_by)


def _serves(configuration: Configuration) -> Iterator[Serve]:
    yield from (rule.serve for rule in configuration.rules)
    yield configuration.fallthrough


def _in_logic(value: object) -> Iterator[str]:
    """What JsonLogic reads of the context; inside of a loop it reads the items instead."""
    if isinstance(value, list):
        for item in value:
            yield from _in_logic(item)
    if not isinstance(value, dict) or len(value) != 1:
        return
    ((name, given),) = value.items()
    arguments = given if isinstance(given, list) else [given]
    yield from _asked_by(name, arguments)
    yield from _in_logic(arguments[:1] + arguments[2:] if name in _ITERATING else arguments)


def _asked_by(name: str, arguments: list[object]) -> Iterator[str]:
    if name == "var":
        yield from _named(arguments[:1] or [EVERYTHING])
    elif name == "missing":
        yield from _named(_flat(arguments))
    elif name == "missing_some":
        yield from _named(_flat(arguments[1:]))
    elif name == "fractional":
        yield TARGETING_KEY


def _flat(arguments: list[object]) -> list[object]:
    return [one for given in arguments for one in (given if isinstance(given, list) else [given])]


def _named(names: list[object]) -> Iterator[str]:
    for name in names:
        yield name if isinstance(name, str) else EVERYTHING
