"""What flagd answers, written down independently of the importer: JSONLogic as it evaluates it.

After open-feature/flagd core/pkg/evaluator (json.go, fractional.go, string_comparison.go) and the
JSONLogic library it uses; only what the importer takes over.
"""

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

from tests.flags.engine.murmur3 import murmur3_32

Context = Mapping[str, Any]


def serve(flag_key: str, flag: Mapping[str, Any], context: Context) -> str:
    """The variant that flagd serves of an enabled flag."""
    data = {**context, "$flagd": {"flagKey": flag_key}}
    result = evaluate(flag.get("targeting"), data)
    if result is None:
        return str(flag["defaultVariant"])
    return str(result).lower() if isinstance(result, bool) else str(result)


def evaluate(node: Any, data: Context) -> Any:
    if not isinstance(node, dict):
        return node
    ((name, arguments),) = node.items()
    arguments = arguments if isinstance(arguments, list) else [arguments]
    if name == "if":
        return _if(arguments, data)
    if name == "var":
        return _var(arguments[0], data)
    if name == "and":
        return all(evaluate(argument, data) for argument in arguments)
    if name == "or":
        return any(evaluate(argument, data) for argument in arguments)
    values = [evaluate(argument, data) for argument in arguments]
    return _fractional(values, data) if name == "fractional" else _OPERATIONS[name](*values)


def _if(arguments: list[Any], data: Context) -> Any:
    while len(arguments) > 1:
        if evaluate(arguments[0], data):
            return evaluate(arguments[1], data)
        arguments = arguments[2:]
    return evaluate(arguments[0], data) if arguments else None


def _var(path: str, data: Any) -> Any:
    for step in path.split("."):
        data = data.get(step) if isinstance(data, Mapping) else None
    return data


def _number(value: Any) -> float:
    if value is None or isinstance(value, bool | int | float):
        return float(value or 0)
    text = str(value).strip()
    try:
        return float(text) if text else 0.0
    except ValueError:
        return math.nan


def _loosely(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    return bool(a == b if isinstance(a, str) and isinstance(b, str) else _number(a) == _number(b))


def _strictly(a: Any, b: Any) -> bool:
    kinds = [float if type(one) is int else type(one) for one in (a, b)]
    return kinds[0] is kinds[1] and bool(a == b)


def _in(a: Any, b: Any) -> bool:
    if isinstance(b, str):
        return a in b
    return isinstance(b, list) and any(_strictly(a, one) for one in b)


def _cat(*parts: Any) -> str:
    return "".join("" if part is None else str(part) for part in parts)


def _affix(name: str) -> Callable[[Any, Any], bool]:
    return lambda a, b: isinstance(a, str) and isinstance(b, str) and bool(getattr(a, name)(b))


def _between(
    compare: Callable[[float, float], bool], *, or_equal: bool = False
) -> Callable[..., bool]:
    """What is not there counts as 0 in an order, but is equal to no number: as in flagd's Go."""

    def holds(one: Any, other: Any) -> bool:
        a, b = _number(one), _number(other)
        return compare(a, b) or (or_equal and a == b and (one is None) is (other is None))

    return lambda *all_of: all(holds(a, b) for a, b in itertools.pairwise(all_of))


def _fractional(values: list[Any], data: Context) -> Any:
    key, bucket = data.get("targetingKey"), values[0]
    if isinstance(bucket, str):
        values = values[1:]
    elif isinstance(key, str):
        values = values[1:] if bucket is None else values
        bucket = data["$flagd"]["flagKey"] + key
    else:
        return None
    if not all(isinstance(share, list) for share in values):
        return None
    weights = [share[1] if len(share) > 1 else 1 for share in values]
    position = murmur3_32(bucket.encode()) * sum(weights) >> 32
    for share, weight in zip(values, weights, strict=True):
        position -= weight
        if position < 0:
            return share[0]
    raise AssertionError


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "==": _loosely,
    "!=": lambda a, b: not _loosely(a, b),
    "===": _strictly,
    "!==": lambda a, b: not _strictly(a, b),
    "!": lambda a: not a,
    "!!": bool,
    "in": _in,
    "cat": _cat,
    "starts_with": _affix("startswith"),
    "ends_with": _affix("endswith"),
    "<": _between(lambda a, b: a < b),
    "<=": _between(lambda a, b: a < b, or_equal=True),
    ">": _between(lambda a, b: a > b),
    ">=": _between(lambda a, b: a > b, or_equal=True),
}
