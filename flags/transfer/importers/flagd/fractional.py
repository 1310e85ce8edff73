"""flagd's ``fractional``: people keep the variant that flagd gave them.

flagd core/pkg/evaluator/fractional.go: murmur3_32(bucket) x sum of weights >> 32, where the bucket
is a text: what the first argument evaluates to, else the flag's key followed by the targeting key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from flags.engine import ALGORITHMS
from flags.transfer.importers.base import Document, quote, refuse, test

TARGETING_KEY = "targetingKey"
FLAGD = "flagd"
Extra: TypeAlias = tuple[Document | None, Document]
"""A condition beside those of the branch, None for none, and what to serve then."""


@dataclass(frozen=True, slots=True)
class FlagdBucket:
    """Hash ``seed`` followed by the attribute; ``is_text`` where flagd joins them itself."""

    attribute: str
    seed: str
    is_text: bool


def read_fractional(
    arguments: list[object], path: str, *, flag: str, variants: set[str], texts: frozenset[str]
) -> list[Extra]:
    """What to serve, in order; whom none of it fits gets the flag's default variant.

    ``texts`` are the attributes that the branch makes sure are texts and not empty.
    """
    by_expression = bool(arguments) and not isinstance(arguments[0], list)
    shares = _read_shares(arguments[by_expression:], by_expression, path, variants)
    if not by_expression:
        return [(None, _split(shares, FlagdBucket(TARGETING_KEY, flag, is_text=False)))]
    return _served(shares, _read_bucket(arguments[0], f"{path}[0]", flag), flag, texts)


def _served(
    shares: list[Document], bucket: FlagdBucket, flag: str, texts: frozenset[str]
) -> list[Extra]:
    split, attribute = _split(shares, bucket), bucket.attribute
    if attribute in texts:
        return [(None, split)]
    nobody = {"variant": _variant_at(shares, bucket.seed)}
    missing, empty = test(attribute, "not_exists"), test(attribute, "equals", "")
    if bucket.is_text:  # a missing attribute is joined as an empty text
        return [(None, split), ({"any": [missing, empty]}, nobody)]
    if attribute == TARGETING_KEY:  # which is a text or missing, and flagd then has nothing else
        return [(None, split), (empty, nobody)]
    otherwise = _split(shares, FlagdBucket(TARGETING_KEY, flag, is_text=False))
    # A number is no bucket by itself; that a text "contains" the empty one tells them apart.
    return [
        (test(attribute, "contains", ""), split),
        (empty, nobody),
        (missing, otherwise),
    ]


def _read_bucket(node: object, path: str, flag: str) -> FlagdBucket:
    attribute = None if _is_flag_key(node) else read_variable(node, path)
    if attribute is not None:
        return FlagdBucket(attribute, "", is_text=False)
    if not is_operation(node, "cat"):
        refuse(path, "only an attribute, or texts and an attribute joined by 'cat', can be hashed")
    _name, parts = operation(node, path)
    path = f"{path}.cat"
    last = read_variable(parts[-1], f"{path}[{len(parts) - 1}]") if parts else None
    if last is None:
        refuse(path, "the last part must be an attribute")
    seed = "".join(_fixed(p, f"{path}[{i}]", flag) for i, p in enumerate(parts[:-1]))
    if seed != seed.lstrip():
        refuse(path, "flagd removes the white space in front")
    return FlagdBucket(last, seed, is_text=True)


def _is_flag_key(node: object) -> bool:
    return node in ({"var": FLAG_KEY}, {"var": [FLAG_KEY]})


def _fixed(part: object, path: str, flag: str) -> str:
    if _is_flag_key(part):
        return flag
    if not isinstance(part, str):
        refuse(path, f"only a text or '{FLAG_KEY}' can stand before the attribute")
    return part


def _read_shares(
    items: list[object], by_expression: bool, path: str, variants: set[str]
) -> list[Document]:
    if len(items) + by_expression < 2:
        refuse(path, "there is nothing to split between")
    shares = [
        _read_share(item, f"{path}[{index}]", variants)
        for index, item in enumerate(items, start=int(by_expression))
    ]
    if not any(share["weight"] for share in shares):
        refuse(path, "every weight is 0")
    return shares


def _read_share(item: object, path: str, variants: set[str]) -> Document:
    if not isinstance(item, list) or not 1 <= len(item) <= 2:
        refuse(path, "expected a variant and its weight")
    variant, weight = item[0], item[1] if len(item) == 2 else 1
    if not isinstance(variant, str) or variant not in variants:
        refuse(path, f"the flag has no variant {quote(variant)}")
    is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
    if not is_number or not 0 <= weight < 2**31 or weight != int(weight):
        refuse(path, f"a weight is a whole number from 0, not {quote(weight)}")
    return {"variant": variant, "weight": int(weight)}


def _split(shares: list[Document], bucket: FlagdBucket) -> Document:
    """``seed`` is written out always, so that the flag could even be renamed."""
    by = {} if bucket.attribute == TARGETING_KEY else {"bucket_by": bucket.attribute}
    return {"split": shares, "algorithm": FLAGD, "seed": bucket.seed, **by}


def _variant_at(shares: list[Document], bucket: str) -> str:
    """Whom flagd hashes without any attribute, it serves this."""
    total = sum(share["weight"] for share in shares)
    position = ALGORITHMS[FLAGD].place(bucket, "", total)
    for share in shares:
        position -= share["weight"]
        if position < 0:
            return str(share["variant"])
    raise AssertionError("a position lies within the total")


# JSONLogic as flagd writes it: references resolved, operations and variables taken apart.


FLAG_KEY: Final = "$flagd.flagKey"

MAX_DEPTH: Final = 60
"""Twice what our own conditions may nest; far from Python's limit."""
MAX_NODES: Final = 20_000
"""Of one flag, references resolved: a few that refer to each other may stand for billions."""


class Expansion:
    def __init__(self, evaluators: Mapping[str, object]) -> None:
        self._evaluators = evaluators
        self._nodes = 0

    def expand(
        self, node: object, path: str, depth: int = 0, opened: tuple[str, ...] = ()
    ) -> object:
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            refuse(path, "the targeting is too deep or too large")
        if isinstance(node, list):
            return [
                self.expand(item, f"{path}[{index}]", depth + 1, opened)
                for index, item in enumerate(node)
            ]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return self._resolve(node, path, depth, opened)
        return {
            name: self.expand(item, f"{path}.{name[:60]}", depth + 1, opened)
            for name, item in node.items()
        }

    def _resolve(
        self, node: dict[str, object], path: str, depth: int, opened: tuple[str, ...]
    ) -> object:
        name = node["$ref"]
        if len(node) != 1 or not isinstance(name, str) or name not in self._evaluators:
            refuse(f"{path}.$ref", f"there is no evaluator {quote(name)}")
        if name in opened:
            refuse(f"{path}.$ref", f"the evaluator {quote(name)} refers to itself")
        return self.expand(self._evaluators[name], path, depth + 1, (*opened, name))


def operation(node: object, path: str) -> tuple[str, list[object]]:
    if not isinstance(node, dict) or len(node) != 1:
        refuse(path, f"expected an operation, found {quote(node)}")
    ((name, arguments),) = node.items()
    return name, arguments if isinstance(arguments, list) else [arguments]


def is_operation(node: object, *names: str) -> bool:
    return isinstance(node, dict) and len(node) == 1 and next(iter(node)) in names


def read_variable(node: object, path: str) -> str | None:
    """The attribute that ``{"var": …}`` names; None where ``node`` is no such thing."""
    if not is_operation(node, "var"):
        return None
    _name, arguments = operation(node, path)
    path = f"{path}.var"
    if len(arguments) > 2 or arguments[1:] not in ([], [None]):
        refuse(path, "a default for a missing attribute is not available")
    name = arguments[0] if arguments else ""
    if not isinstance(name, str) or not name:
        refuse(path, "expected the name of an attribute")
    if name.startswith("$flagd."):
        refuse(path, f"{quote(name)} is not available here")
    if not all(name.split(".")) or any(step.isdigit() for step in name.split(".")[1:]):
        refuse(path, f"{quote(name)} is not a path of attribute names")
    return name
