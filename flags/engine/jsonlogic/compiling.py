"""Logic, compiled once into closures."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from flags.engine.document import DEFAULT_BUCKETING, Logic
from flags.engine.jsonlogic import eager, texts
from flags.engine.jsonlogic.eager import Function
from flags.engine.jsonlogic.fractional import FRACTIONALS
from flags.engine.jsonlogic.lazy import BUILDERS
from flags.engine.jsonlogic.reading import SPREADING
from flags.engine.jsonlogic.running import Compiled, Steps, Unanswerable

CompiledLogic: TypeAlias = Callable[[Mapping[str, object]], object]

_FUNCTIONS: Final[dict[str, Function]] = {**eager.FUNCTIONS, **texts.FUNCTIONS}


def compile_logic(logic: Logic, *, fractional: str = DEFAULT_BUCKETING) -> CompiledLogic:
    """What the logic makes of a context, with flagd's properties in it under ``$flagd``.

    Never raises: None where an operation cannot use a value, or where the work is too much.
    ``fractional`` names the generation of flagd's bucketing; KeyError if there is none.
    """
    functions = {**_FUNCTIONS, "fractional": FRACTIONALS[fractional]}
    run = _compile(logic.value, functions)

    def evaluate(data: Mapping[str, object]) -> object:
        try:
            return run(data, Steps())
        except Unanswerable:
            return None

    return evaluate


def _compile(value: object, functions: Mapping[str, Function]) -> Compiled:
    if isinstance(value, list) and _has_operations(value):
        return _gather([_compile(item, functions) for item in value])
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
        return _alone(functions[name], _compile(given, functions), spreads=name in SPREADING)
    return _call(functions[name], arguments)


def _has_operations(value: object) -> bool:
    """Whether anything below is to be run; what is not stands for itself."""
    if isinstance(value, list):
        return any(map(_has_operations, value))
    return isinstance(value, dict) and len(value) == 1


def _size(value: object) -> int:
    """How many values and operations there are, for what a run of them costs."""
    if isinstance(value, list):
        return 1 + sum(map(_size, value))
    return 1 + sum(map(_size, value.values())) if isinstance(value, dict) else 1


def _gather(items: list[Compiled]) -> Compiled:
    return lambda data, steps: [item(data, steps) for item in items]


def _attribute(path: str) -> Compiled:
    """``var`` by a plain name or path, which is nearly always."""
    if not path or "." in path:
        return lambda data, _steps: eager.look_up(path, data)

    def read(data: object, _steps: Steps) -> object:
        return data.get(path) if isinstance(data, dict) else eager.look_up(path, data)

    return read


def _call(function: Function, arguments: list[Compiled]) -> Compiled:
    return lambda data, steps: function([item(data, steps) for item in arguments], data)


def _alone(function: Function, argument: Compiled, *, spreads: bool) -> Compiled:
    """An operation whose argument is not put into a list."""

    def run(data: object, steps: Steps) -> object:
        value = argument(data, steps)
        return function(value if spreads and isinstance(value, list) else [value], data)

    return run
