from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from flags.engine.document import DEFAULT_BUCKETING, Logic
from flags.engine.jsonlogic import eager
from flags.engine.jsonlogic.eager import Function
from flags.engine.jsonlogic.fractional import FRACTIONALS
from flags.engine.jsonlogic.lazy import BUILDERS
from flags.engine.jsonlogic.loose import Compiled, Unanswerable
from flags.engine.jsonlogic.reading import SPREADING
from flags.engine.state import Steps

CompiledLogic: TypeAlias = Callable[[Mapping[str, object], Steps], object]


def compile_logic(logic: Logic, *, fractional: str = DEFAULT_BUCKETING) -> CompiledLogic:
    """What the logic makes of a context, with flagd's properties in it under ``$flagd``.

    None where an operation cannot use a value; raises OverBudget where the work is too much.
    ``fractional`` names the generation of flagd's bucketing; KeyError if there is none.
    """
    functions = {**eager.FUNCTIONS, "fractional": FRACTIONALS[fractional]}
    run = _compile(logic.value, functions)

    def evaluate(data: Mapping[str, object], steps: Steps) -> object:
        try:
            return run(data, steps)
        except Unanswerable:
            return None

    return evaluate


def _compile(value: object, functions: Mapping[str, Function]) -> Compiled:
    if isinstance(value, list) and _has_operations(value):
        items = [_compile(item, functions) for item in value]
        return lambda data, steps: [item(data, steps) for item in items]
    if not isinstance(value, dict) or len(value) != 1:
        return lambda _data, _steps: value
    ((name, given),) = value.items()
    arguments = [_compile(item, functions) for item in given] if isinstance(given, list) else None
    if name in BUILDERS:
        alone = [_compile(given, functions)] if arguments is None else arguments
        return BUILDERS[name](alone, _size(given))
    if name == "var" and isinstance(given, str):
        return _attribute(given)
    if arguments is None:
        return _alone(name, functions, _compile(given, functions))
    if name == "in" and isinstance(given[1], list) and all(type(one) is str for one in given[1]):
        return _find(arguments[0], frozenset(given[1]))
    return _call(name, functions, arguments)


def _has_operations(value: object) -> bool:
    if isinstance(value, list):
        return any(map(_has_operations, value))
    return isinstance(value, dict) and len(value) == 1


def _size(value: object) -> int:
    if isinstance(value, list):
        return 1 + sum(map(_size, value))
    return 1 + sum(map(_size, value.values())) if isinstance(value, dict) else 1


def _attribute(path: str) -> Compiled:
    is_plain = path and "." not in path

    def read(data: object, steps: Steps) -> object:
        known = is_plain and isinstance(data, dict)
        found = data.get(path) if known else eager.look_up(path, data)  # type: ignore[attr-defined]
        if isinstance(found, str):
            steps.spend(len(found) >> CHARS_READ)
        return found

    return read


def _call(name: str, functions: Mapping[str, Function], arguments: list[Compiled]) -> Compiled:
    function, cost = functions[name], COSTS.get(name)
    if cost is None:
        return lambda data, steps: function([item(data, steps) for item in arguments], data)

    def run(data: object, steps: Steps) -> object:
        values = [item(data, steps) for item in arguments]
        steps.spend(cost(values))
        return function(values, data)

    return run


def _find(sought: Compiled, texts: frozenset[str]) -> Compiled:
    items: list[object] = list(texts)

    def run(data: object, steps: Steps) -> bool:
        value = sought(data, steps)
        if isinstance(value, str):
            return value in texts
        steps.spend(COSTS["in"]([value, items]))
        return eager.FUNCTIONS["in"]([value, items], data)  # type: ignore[return-value]

    return run


def _alone(name: str, functions: Mapping[str, Function], argument: Compiled) -> Compiled:
    function, spreads = functions[name], name in SPREADING
    cost = COSTS.get(name)

    def run(data: object, steps: Steps) -> object:
        value = argument(data, steps)
        values = value if spreads and isinstance(value, list) else [value]
        steps.spend(of_spreading(values) + (cost(values) if cost else 0))
        return function(values, data)

    return run


# What operations cost that grow with their arguments, in steps of some 0.1 µs.


Cost: TypeAlias = Callable[[list[object]], int]

# A text that is read costs a step for every 32 characters: it is compared, cut or hashed then.
CHARS_READ: Final = 5
_VERSIONS: Final = 120
# An object that is hashed as a whole, of as many values as a context may have.
_ENCODED: Final = 10_000


def of_spreading(arguments: list[object]) -> int:
    return 2 * len(arguments) if len(arguments) > 4 else 0


def _in(arguments: list[object]) -> int:
    where = arguments[1]
    if isinstance(where, str):
        return (len(where) + 20) >> 6
    return 2 * len(where) if isinstance(where, list) else 0


def _path(path: object) -> int:
    return 2 + len(path) if isinstance(path, str) else 2


def _paths(arguments: list[object]) -> int:
    found = (one for given in arguments for one in (given if isinstance(given, list) else [given]))
    return sum(map(_path, found))


def _encoded(arguments: list[object]) -> int:
    return _ENCODED if arguments and isinstance(arguments[0], Mapping) else 0


COSTS: Final[dict[str, Cost]] = {
    "var": lambda arguments: _path(arguments[0]) if arguments else 0,
    "in": _in,
    "missing": _paths,
    "missing_some": _paths,
    "merge": lambda arguments: sum(len(one) for one in arguments if isinstance(one, list)) >> 2,
    "cat": lambda arguments: 16 * len(arguments) if len(arguments) > 4 else 0,
    "fractional": _encoded,
    "sem_ver": lambda _arguments: _VERSIONS,
}
