"""Logic that a flag has itself, passed on: where flagd makes the same of it."""

from collections.abc import Iterator
from typing import Any, Final

from flags.engine.document import DEFAULT_BUCKETING, ByLogic, LogicTest
from flags.engine.jsonlogic import dump_logic
from flags.exporters.base import refuse
from flags.exporters.flagd.logic import Logic

_TAKES_EVERYTHING: Final = frozenset(
    {"var", "missing", "!", "!!", "==", "===", "!=", "!==", "<", "<=", ">", ">=", "and", "or"}
    | {"if", "?:", "starts_with", "ends_with", "sem_ver", "fractional"}
)
"""Operations that give an answer whatever they are given."""


def write_choice(serve: ByLogic) -> Logic:
    """The logic that names the variant. Raises NotExpressible."""
    logic = dump_logic(serve.logic)
    _check_bucketing(logic, serve.bucketing)
    return logic


def write_condition(test: LogicTest) -> Logic:
    """Whether the logic gives what counts as true. Raises NotExpressible.

    Here logic without an answer is false; in flagd it ends the whole evaluation.
    """
    logic = dump_logic(test.logic)
    _check_bucketing(logic, test.bucketing)
    for name, arguments in operations(logic):
        if name not in _TAKES_EVERYTHING and not (name == "in" and _is_in_list(arguments)):
            refuse(f"in flagd a condition with '{name}' may have no answer at all")
    return {"!!": [logic]}


def speaks_of_its_flag(logic: Logic) -> bool:
    """Whether it gives something else in another flag: by flagd's properties, or as a bucket."""
    return any(_is_of_its_flag(name, arguments) for name, arguments in operations(logic))


def _is_of_its_flag(name: str, arguments: list[Any]) -> bool:
    if name == "fractional":
        return not isinstance(arguments[0], (str, dict)) or arguments[0] is None
    first = arguments[0] if arguments else ""
    return name == "var" and (not isinstance(first, str) or first[:6] in ("", "$flagd"))


def operations(logic: Logic) -> Iterator[tuple[str, list[Any]]]:
    """Every operation in it and its arguments."""
    if isinstance(logic, list):
        for item in logic:
            yield from operations(item)
    elif isinstance(logic, dict) and len(logic) == 1:
        ((name, given),) = logic.items()
        arguments = given if isinstance(given, list) else [given]
        yield name, arguments
        yield from operations(arguments)


def _check_bucketing(logic: Logic, bucketing: str) -> None:
    has_buckets = any(name == "fractional" for name, _arguments in operations(logic))
    if has_buckets and bucketing != DEFAULT_BUCKETING:
        refuse(f"its logic splits as the generation '{bucketing}' of flagd does")


def _is_in_list(arguments: list[Any]) -> bool:
    where = arguments[1]
    return isinstance(where, list) and not any(isinstance(one, (list, dict)) for one in where)
